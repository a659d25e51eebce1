;; Traps while it is instantiated: its function is never reached.
(module
  (func $fail unreachable)
  (start $fail)

  (func (export "answer") (result i32)
    (i32.const 42)))
