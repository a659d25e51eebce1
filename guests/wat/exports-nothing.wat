;; Not a function for Nebula: a module, but with nothing in it to call.
(module
  (memory (export "memory") 1))
