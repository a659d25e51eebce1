;; Writes what it reads, in pieces. In memory: at 0 where a piece lies and how long it is, at 8 how much of it a call took.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  (func (export "_start")
    (local $from i32) (local $end i32)
    (loop $read
      (call $piece (i32.const 16) (i32.const 32768))
      (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (local.set $from (i32.const 16))
      (local.set $end (i32.add (i32.const 16) (i32.load (i32.const 8))))
      (if (i32.eq (local.get $from) (local.get $end)) (then return))
      (loop $write
        (call $piece (local.get $from) (i32.sub (local.get $end) (local.get $from)))
        (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
        (local.set $from (i32.add (local.get $from) (i32.load (i32.const 8))))
        (br_if $write (i32.lt_u (local.get $from) (local.get $end))))
      (br $read)))

  (func $piece (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))))
