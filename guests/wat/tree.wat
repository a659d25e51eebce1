;; Makes a tree of garbage-collected structs of the given depth. Its leaves are numbers. Returns the sum of all leaves.
(module
  (type $branches (array (mut eqref)))
  (type $node (struct (field $depth i32) (field $branches (ref $branches))))

  (func $grow (param $depth i32) (result eqref)
    (local $branches (ref $branches))
    (if (i32.eqz (local.get $depth))
      (then (return (ref.i31 (i32.const 1)))))
    (local.set $branches (array.new_default $branches (i32.const 2)))
    (array.set $branches (local.get $branches) (i32.const 0)
      (call $grow (i32.sub (local.get $depth) (i32.const 1))))
    (array.set $branches (local.get $branches) (i32.const 1)
      (call $grow (i32.sub (local.get $depth) (i32.const 1))))
    (struct.new $node (local.get $depth) (local.get $branches)))

  (func $sum (param $tree eqref) (result i32)
    (local $branches (ref $branches))
    (block $leaf (result (ref i31))
      (local.set $branches
        (struct.get $node $branches (ref.cast (ref $node) (br_on_cast $leaf eqref (ref i31) (local.get $tree)))))
      (return
        (i32.add
          (call $sum (array.get $branches (local.get $branches) (i32.const 0)))
          (call $sum (array.get $branches (local.get $branches) (i32.const 1))))))
    (i31.get_u))

  (func (export "tree") (param $depth i32) (result i32)
    (call $sum (call $grow (local.get $depth)))))
