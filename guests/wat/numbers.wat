;; One function for each numeric type, which returns its argument, and functions that return values without a JSON
;; number.
(module
  (func (export "i32") (param $value i32) (result i32) (local.get $value))
  (func (export "i64") (param $value i64) (result i64) (local.get $value))
  (func (export "f32") (param $value f32) (result f32) (local.get $value))
  (func (export "f64") (param $value f64) (result f64) (local.get $value))

  (func (export "all") (param $a i32) (param $b i64) (param $c f32) (param $d f64) (result i32 i64 f32 f64)
    (local.get $a)
    (local.get $b)
    (local.get $c)
    (local.get $d))

  (func (export "none"))

  (func (export "nan") (result f64) (f64.const nan))
  (func (export "infinity") (result f64) (f64.const inf))
  (func (export "minus-infinity") (result f64) (f64.const -inf))
  (func (export "minus-zero") (result f64) (f64.const -0)))
