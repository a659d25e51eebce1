;; Adds two numbers modulo 2^32, as WebAssembly does: the sum of 2147483647 and 1 is -2147483648.
(module
  (func (export "add") (param $left i32) (param $right i32) (result i32)
    (i32.add (local.get $left) (local.get $right))))
