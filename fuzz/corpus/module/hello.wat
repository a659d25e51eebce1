;; A command that greets the name on stdin. For "Ada" it writes "Hello, Ada!" and a line end.
;;
;; Memory: at 0 a WASI buffer (an address, then a length), at 8 the number of bytes that a call reports, at 16 the text.
;; The input is read directly after "Hello, ", so that the greeting is one piece.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "Hello, ")

  (func (export "_start")
    (local $end i32)
    (local.set $end (call $without_line_end (call $read (i32.const 23))))
    (i32.store16 (local.get $end) (i32.const 0x0a21)) ;; "!" and a line end, the lower byte first
    (call $write (i32.const 16) (i32.add (local.get $end) (i32.const 2))))

  ;; Reads stdin to the address $to, until it ends or the address 60000 is reached. Returns the end of the text.
  (func $read (param $to i32) (result i32)
    (loop $more
      (call $buffer (local.get $to) (i32.const 60000))
      (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
        (then unreachable))
      (local.set $to (i32.add (local.get $to) (i32.load (i32.const 8))))
      (br_if $more
        (i32.and
          (i32.ne (i32.load (i32.const 8)) (i32.const 0))
          (i32.lt_u (local.get $to) (i32.const 60000)))))
    (local.get $to))

  ;; Writes the bytes from $from to $to. The host may take them in several pieces.
  (func $write (param $from i32) (param $to i32)
    (loop $more
      (call $buffer (local.get $from) (local.get $to))
      (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
        (then unreachable))
      (local.set $from (i32.add (local.get $from) (i32.load (i32.const 8))))
      (br_if $more (i32.lt_u (local.get $from) (local.get $to)))))

  (func $buffer (param $from i32) (param $to i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (i32.sub (local.get $to) (local.get $from))))

  ;; Removes the line end that a shell's `echo` adds.
  (func $without_line_end (param $end i32) (result i32)
    (i32.sub
      (local.get $end)
      (i32.eq (i32.load8_u (i32.sub (local.get $end) (i32.const 1))) (i32.const 0x0a)))))
