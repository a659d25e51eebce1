;; Functions of references, which no caller outside of the module can pass, and one function of numbers.
(module
  (type $box (struct (field $number i32)))
  (tag $lost (param i32))

  (func $wrap (export "wrap") (param $number i32) (result (ref $box))
    (struct.new $box (local.get $number)))

  (func $unwrap (export "unwrap") (param $box (ref $box)) (result i32)
    (struct.get $box $number (local.get $box)))

  (func (export "lose") (param $number i32) (result exnref)
    (block $found (result i32 exnref)
      (try_table (catch_ref $lost $found)
        (throw $lost (local.get $number)))
      unreachable)
    (return))

  (func (export "references") (param $number i32) (result i32)
    (call $unwrap (call $wrap (local.get $number)))))
