;; A typed function of two core instances, each with a memory of its own; one is addressed with 64 bits. It makes both
;; grow by numbers of pages, traps if one is refused, and returns how many pages they have together.
(component
  (core module $narrow
    (memory 1)
    (func $grow (export "grow") (param $pages i32) (result i32)
      (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1))
        (then unreachable))
      (memory.size)))
  (core module $wide
    (memory i64 1)
    (func $grow_wide (export "grow") (param $pages i32) (result i32)
      (if (i64.eq (memory.grow (i64.extend_i32_u (local.get $pages))) (i64.const -1))
        (then unreachable))
      (i32.wrap_i64 (memory.size))))
  (core module $main
    (import "narrow" "grow" (func $narrow (param i32) (result i32)))
    (import "wide" "grow" (func $wide (param i32) (result i32)))
    (func $both (export "grow") (param $narrow i32) (param $wide i32) (result i32)
      (i32.add (call $narrow (local.get $narrow)) (call $wide (local.get $wide)))))
  (core instance $narrow (instantiate $narrow))
  (core instance $wide (instantiate $wide))
  (core instance $main (instantiate $main (with "narrow" (instance $narrow)) (with "wide" (instance $wide))))
  (func (export "grow") (param "narrow" u32) (param "wide" u32) (result u32)
    (canon lift (core func $main "grow"))))
