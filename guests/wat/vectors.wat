;; One function uses a vector internally, which works. The other takes a vector, which no caller can pass.
(module
  ;; Returns four times the number: the sum of four lanes that each hold it.
  (func (export "sum") (param $number i32) (result i32)
    (local $lanes v128)
    (local.set $lanes (i32x4.splat (local.get $number)))
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $lanes)) (i32x4.extract_lane 1 (local.get $lanes)))
      (i32.add (i32x4.extract_lane 2 (local.get $lanes)) (i32x4.extract_lane 3 (local.get $lanes)))))

  (func (export "negate") (param $lanes v128) (result v128)
    (i32x4.neg (local.get $lanes))))
