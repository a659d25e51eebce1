;; Exceptions. One function throws an exception through a number of calls, each of which catches it and throws it again.
;; Another function throws an exception that nothing catches.
(module
  (tag $lost (param i32))

  (func $fall (param $depth i32) (result i32)
    (local $number i32) (local $caught exnref)
    (if (i32.eqz (local.get $depth))
      (then (throw $lost (i32.const 0))))
    (block $found (result i32 exnref)
      (try_table (catch_ref $lost $found)
        (drop (call $fall (i32.sub (local.get $depth) (i32.const 1)))))
      unreachable)
    (local.set $caught)
    (local.set $number)
    ;; Half of the calls throw the same exception again. The others throw a new one, which carries their count.
    (if (i32.and (local.get $depth) (i32.const 1))
      (then (throw $lost (i32.add (local.get $number) (i32.const 1)))))
    (throw_ref (local.get $caught)))

  (func (export "exceptions") (param $depth i32) (result i32)
    (block $found (result i32)
      (try_table (catch $lost $found)
        (drop (call $fall (local.get $depth))))
      unreachable))

  (func (export "uncaught") (param $depth i32) (result i32)
    (call $fall (local.get $depth))))
