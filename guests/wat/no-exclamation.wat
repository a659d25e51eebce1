;; A command that exits with 1 if stdin has an exclamation mark, and with 0 otherwise.
;;
;; Memory: at 0 a WASI buffer (an address, then a length), at 8 the number of bytes that a call reports, at 16 the
;; input.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  (memory (export "memory") 1)

  (func (export "_start")
    (local $left i32)
    (loop $more
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 65000))
      (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
        (then unreachable))
      (local.set $left (i32.load (i32.const 8)))
      (if (local.get $left)
        (then
          (call $check (local.get $left))
          (br $more)))))

  ;; Looks at the first $left bytes of the input, from the last to the first.
  (func $check (param $left i32)
    (loop $more
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (if (i32.eq (i32.load8_u offset=16 (local.get $left)) (i32.const 33)) ;; "!"
        (then (call $proc_exit (i32.const 1))))
      (br_if $more (local.get $left)))))
