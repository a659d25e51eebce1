;; A reactor. `_initialize` runs before the call, so the result is 42 and not 0.
(module
  (global $answer (mut i32) (i32.const 0))

  (func (export "_initialize")
    (global.set $answer (i32.const 42)))

  (func (export "answer") (result i32)
    (global.get $answer)))
