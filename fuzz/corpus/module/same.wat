(component
  ;; A value of so many parts is passed in memory: parameter and result are a pointer to the same layout.
  (core module $m
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get 3) (i32.const 16)))))))
      (local.get $at))
    (func (export "same") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))

  (type $color' (enum "red" "green" "dark-blue"))
  (export $color "color" (type $color'))
  (type $access' (flags "read" "write" "run"))
  (export $access "access" (type $access'))
  (type $item' (record (field "name" string) (field "price" f64) (field "note" (option string))))
  (export $item "item" (type $item'))
  (type $shape' (variant (case "none") (case "text" string) (case "both" (tuple u8 bool)) (case "items" (list $item))))
  (export $shape "shape" (type $shape'))
  (type $all' (record
    (field "a" (option bool)) (field "b" (option s8)) (field "c" (option u16)) (field "d" (option s32))
    (field "e" (option s64)) (field "f" (option u64)) (field "g" (option f32)) (field "h" (option f64))
    (field "i" (option char)) (field "j" (option (list u8))) (field "k" (option (list $item)))
    (field "l" (option $shape)) (field "m" (option $color)) (field "n" (option $access))
    (field "o" (option (option u32))) (field "p" (option (result u8 (error string))))
    (field "q" (option (tuple u8 (list (list string)))))))
  (export $all "all" (type $all'))

  (func (export "same") (param "v" $all) (result $all)
    (canon lift (core func $i "same") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
