;; Asks for a larger table and copes with a refusal: answers how many elements it has in the end, 1 at least.
(module
  (table $elements 1 funcref)

  (func (export "grow-table") (param $more i32) (result i32)
    (drop (table.grow $elements (ref.null func) (local.get $more)))
    (table.size $elements)))
