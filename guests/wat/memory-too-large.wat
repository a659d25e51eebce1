;; Nebula refuses this module: it declares a memory of 1 TiB.
(module
  (memory i64 0x1000000)

  (func (export "memory-too-large") (result i64)
    (memory.size)))
