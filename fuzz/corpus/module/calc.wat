;; Several functions in one module. None has the module's name, so a caller names one: `calc:mul`.
(module
  (func (export "add") (param $left i64) (param $right i64) (result i64)
    (i64.add (local.get $left) (local.get $right)))

  (func (export "sub") (param $left i64) (param $right i64) (result i64)
    (i64.sub (local.get $left) (local.get $right)))

  (func (export "mul") (param $left i64) (param $right i64) (result i64)
    (i64.mul (local.get $left) (local.get $right)))

  ;; Traps if $right is zero, and for the only quotient that does not fit: the least number divided by -1.
  (func (export "div") (param $left i64) (param $right i64) (result i64)
    (i64.div_s (local.get $left) (local.get $right)))

  ;; Returns two results.
  (func (export "swap") (param $left i32) (param $right i32) (result i32 i32)
    (local.get $right)
    (local.get $left)))
