;; Atomic operations on a memory that is not shared. Code that was written for threads has them.
(module
  (memory 1)

  ;; Takes a lock, adds to a counter, releases the lock and wakes the waiting threads, of which there are none.
  (func (export "atomics") (param $amount i32) (result i32)
    (loop $try
      (br_if $try (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 1))))
    (drop (i64.atomic.rmw.add (i32.const 8) (i64.extend_i32_s (local.get $amount))))
    (atomic.fence)
    (i32.atomic.store (i32.const 0) (i32.const 0))
    (drop (memory.atomic.notify (i32.const 0) (i32.const 1)))
    (i32.wrap_i64 (i64.atomic.load (i32.const 8))))

  ;; Waits for another thread, which never comes.
  (func (export "wait") (result i32)
    (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
