;; Not a function for Nebula: it runs a part of itself on a stack of its own.
(module
  (type $answer (func (result i32)))
  (type $task (cont $answer))
  (elem declare func $seven)

  (func $seven (type $answer)
    (i32.const 7))

  (func (export "stack-switching") (result i32)
    (resume $task (cont.new $task (ref.func $seven)))))
