;; A typed function whose module spins while it is instantiated.
(component
  (core module $main
    (func $spin
      (loop $again (br $again)))
    (start $spin)
    (func (export "answer") (result i32)
      (i32.const 42)))
  (core instance $main (instantiate $main))
  (func (export "answer") (result u32)
    (canon lift (core func $main "answer"))))
