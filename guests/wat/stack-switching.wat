;; Nebula refuses this module: it uses stack switching.
(module
  (type $answer (func (result i32)))
  (type $task (cont $answer))
  (elem declare func $seven)

  (func $seven (type $answer)
    (i32.const 7))

  (func (export "stack-switching") (result i32)
    (resume $task (cont.new $task (ref.func $seven)))))
