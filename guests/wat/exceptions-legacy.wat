;; Nebula refuses this module: it has the exceptions that compilers used before WebAssembly 3.0.
(module
  (tag $nobody)

  (func (export "exceptions-legacy") (result i32)
    try (result i32)
      (throw $nobody)
    catch_all
      (i32.const 1)
    end))
