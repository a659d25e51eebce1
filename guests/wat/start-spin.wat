;; Spins while it is instantiated. The deadline must stop it there too.
(module
  (func $spin (loop $again (br $again)))
  (start $spin)

  (func (export "answer") (result i32)
    (i32.const 42)))
