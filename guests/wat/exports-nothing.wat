;; Nebula refuses this module: it exports no function.
(module
  (memory (export "memory") 1))
