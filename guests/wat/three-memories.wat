;; Uses three memories. One function adds two numbers through them, another counts the pages of all three. The last one
;; makes all three grow, and traps if one is refused.
(module
  (memory $left 1)
  (memory $right 1)
  (memory $sum 1)
  (func (export "add") (param i32 i32) (result i32)
    (i32.store $left (i32.const 0) (local.get 0))
    (i32.store $right (i32.const 65532) (local.get 1))
    (i32.store $sum (i32.const 4)
      (i32.add (i32.load $left (i32.const 0)) (i32.load $right (i32.const 65532))))
    (i32.load $sum (i32.const 4)))
  (func (export "pages") (param $more i32) (result i32)
    (drop (memory.grow $sum (local.get $more)))
    (i32.add (memory.size $left) (i32.add (memory.size $right) (memory.size $sum))))
  (func $grow (export "grow") (param $more i32)
    (if (i32.eq (memory.grow $left (local.get $more)) (i32.const -1)) (then unreachable))
    (if (i32.eq (memory.grow $right (local.get $more)) (i32.const -1)) (then unreachable))
    (if (i32.eq (memory.grow $sum (local.get $more)) (i32.const -1)) (then unreachable))))
