;; Spins while it is instantiated: a deadline has to hold there too.
(module
  (func $spin (loop $again (br $again)))
  (start $spin)

  (func (export "answer") (result i32)
    (i32.const 42)))
