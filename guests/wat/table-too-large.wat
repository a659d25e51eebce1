;; Nebula refuses this module: it declares a table of a thousand million elements.
(module
  (table $elements 1_000_000_000 funcref)

  (func (export "table-too-large") (result i32)
    (table.size $elements)))
