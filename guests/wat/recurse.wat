;; Calls itself without end. Because of the addition after it, the call cannot become a jump.
(module
  (func $recurse (export "recurse") (param $depth i32) (result i32)
    (i32.add
      (i32.const 1)
      (call $recurse (i32.add (local.get $depth) (i32.const 1))))))
