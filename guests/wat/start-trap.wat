;; Traps while it is instantiated, so its function is never called.
(module
  (func $fail unreachable)
  (start $fail)

  (func (export "answer") (result i32)
    (i32.const 42)))
