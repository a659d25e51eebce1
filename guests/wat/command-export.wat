;; A command that exports a function of numbers as well: the command says "started", and `double` doubles a number.
;; `__main_void` is how Rust and Clang leave `main` behind.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; The list of one buffer that fd_write takes: its address, and its length.
  (data (i32.const 0) "\10\00\00\00\07\00\00\00")
  (data (i32.const 16) "started")

  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func (export "__main_void") (result i32)
    (i32.const 0))

  (func (export "double") (param i32) (result i32)
    (i32.shl (local.get 0) (i32.const 1))))
