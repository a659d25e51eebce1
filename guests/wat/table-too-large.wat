;; Not a function for Nebula: it wants a table of a thousand million elements before its first instruction.
(module
  (table $elements 1_000_000_000 funcref)

  (func (export "table-too-large") (result i32)
    (table.size $elements)))
