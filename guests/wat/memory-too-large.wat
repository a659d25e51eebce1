;; Not a function for Nebula: it wants 1 TiB of memory before its first instruction.
(module
  (memory i64 0x1000000)

  (func (export "memory-too-large") (result i64)
    (memory.size)))
