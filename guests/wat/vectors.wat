;; Uses a vector inside, which is nobody's concern, and has a function that takes one, which no caller can give.
(module
  ;; Four times the number, as the sum of the lanes that hold it.
  (func (export "sum") (param $number i32) (result i32)
    (local $lanes v128)
    (local.set $lanes (i32x4.splat (local.get $number)))
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $lanes)) (i32x4.extract_lane 1 (local.get $lanes)))
      (i32.add (i32x4.extract_lane 2 (local.get $lanes)) (i32x4.extract_lane 3 (local.get $lanes)))))

  (func (export "negate") (param $lanes v128) (result v128)
    (i32x4.neg (local.get $lanes))))
