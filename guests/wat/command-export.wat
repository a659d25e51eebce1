;; A command that also exports a function of numbers. The command writes "started", and `double` doubles a number.
;; Rust and Clang export `main` as `__main_void`.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; The list of buffers for fd_write has one entry: an address and a length.
  (data (i32.const 0) "\10\00\00\00\07\00\00\00")
  (data (i32.const 16) "started")

  (func (export "_start")
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func (export "__main_void") (result i32)
    (i32.const 0))

  (func (export "double") (param i32) (result i32)
    (i32.shl (local.get 0) (i32.const 1))))
