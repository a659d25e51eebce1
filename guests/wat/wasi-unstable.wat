;; A command for the WASI before preview 1, as compilers of 2019 built it. It writes "hello from 2019" and a line end.
(module
  (import "wasi_unstable" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\10\00\00\00") ;; a WASI buffer: 16 bytes at 8
  (data (i32.const 8) "hello from 2019\n")

  (func (export "_start")
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 24))
      (then unreachable))))
