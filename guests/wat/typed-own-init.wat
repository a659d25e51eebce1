;; A component whose own author wrote an interface `exports` with a function `init`.
(component
  (core module $code
    (func (export "init") (param i32) (result i32)
      (i32.add (local.get 0) (i32.const 1))))
  (core instance $code (instantiate $code))
  (func $init (param "n" u32) (result u32)
    (canon lift (core func $code "init")))
  (instance $exports (export "init" (func $init)))
  (export "exports" (instance $exports)))
