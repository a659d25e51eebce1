;; A component as componentize-py builds it. Its author wrote `double`. The interface `exports` has a function `init`,
;; which only the build calls.
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 1024))
    (func (export "init") (param i32 i32 i32 i32 i32))
    (func (export "double") (param i32) (result i32)
      (i32.shl (local.get 0) (i32.const 1))))
  (core instance $code (instantiate $code))
  (alias core export $code "memory" (core memory $memory))
  (alias core export $code "realloc" (core func $realloc))

  (func (export "double") (param "n" u32) (result u32)
    (canon lift (core func $code "double")))
  (func $init (param "app-name" string) (param "symbols" (list string)) (param "stub-wasi" bool)
    (canon lift (core func $code "init") (memory $memory) (realloc (core func $realloc))))
  (instance $exports (export "init" (func $init)))
  (export "exports" (instance $exports)))
