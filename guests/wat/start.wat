;; A start function, which runs during instantiation. So the result is 42 and not 0.
(module
  (global $answer (mut i32) (i32.const 0))

  (func $prepare
    (global.set $answer (i32.const 42)))
  (start $prepare)

  (func (export "answer") (result i32)
    (global.get $answer)))
