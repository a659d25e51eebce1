;; Makes pairs of structs that refer to each other, and keeps none of them. Returns the number of pairs.
(module
  (type $half (struct (field $other (mut (ref null $half))) (field $number i32)))

  (func (export "cycles") (param $pairs i32) (result i32)
    (local $made i32)
    (local $one (ref null $half))
    (loop $more
      (local.set $one (struct.new $half (ref.null $half) (local.get $made)))
      (struct.set $half $other (local.get $one) (struct.new $half (local.get $one) (local.get $made)))
      (local.set $made (i32.add (local.get $made) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $made) (local.get $pairs))))
    (i32.add
      (struct.get $half $number (struct.get $half $other (local.get $one)))
      (i32.const 1))))
