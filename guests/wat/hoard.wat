;; Fills the heap of the garbage collector. Each export does so in another way.
(module
  (type $list (struct (field $rest (ref null $list)) (field $number i64)))
  (type $bytes (array i8))
  (memory 1)

  ;; Makes a list and keeps all of it.
  (func $hoard (param $length i32) (result (ref null $list))
    (local $list (ref null $list))
    (loop $more
      (local.set $list (struct.new $list (local.get $list) (i64.extend_i32_u (local.get $length))))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (br_if $more (local.get $length)))
    (local.get $list))

  ;; Makes a list, and returns its length.
  (func (export "hoard") (param $length i32) (result i32)
    (local $list (ref null $list))
    (local.set $list (call $hoard (local.get $length)))
    (local.set $length (i32.const 0))
    (loop $more
      (local.set $list (struct.get $list $rest (local.get $list)))
      (local.set $length (i32.add (local.get $length) (i32.const 1)))
      (br_if $more (i32.eqz (ref.is_null (local.get $list)))))
    (local.get $length))

  ;; Makes arrays of this many bytes, drops each, and then traps for another reason.
  (func (export "forget") (param $size i32)
    (drop (call $blob (local.get $size)))
    (drop (call $blob (local.get $size)))
    (drop (call $blob (local.get $size)))
    unreachable)

  ;; Asks for more linear memory than it may have, and traps.
  (func (export "grow") (param $pages i32) (result i32)
    (drop (call $hoard (i32.const 1)))
    (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1))
      (then unreachable))
    (memory.size))

  ;; Makes one array of this many bytes.
  (func $blob (export "blob") (param $size i32) (result i32)
    (array.len (array.new_default $bytes (local.get $size)))))
