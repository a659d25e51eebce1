;; A typed function of fourteen core instances, of which five have a memory and nine have a table. The pool has fewer of
;; both for one invocation. The function counts to a number.
(component
  (core module $with-memory (memory 1))
  (core module $with-table (table 1 funcref))
  (core module $main
    (table 1 funcref)
    (func (export "count") (param $to i32) (result i32)
      (local $at i32)
      (loop $again
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $at) (local.get $to))))
      (local.get $at)))
  (core instance (instantiate $with-memory))
  (core instance (instantiate $with-memory))
  (core instance (instantiate $with-memory))
  (core instance (instantiate $with-memory))
  (core instance (instantiate $with-memory))
  (core instance (instantiate $with-table))
  (core instance (instantiate $with-table))
  (core instance (instantiate $with-table))
  (core instance (instantiate $with-table))
  (core instance (instantiate $with-table))
  (core instance (instantiate $with-table))
  (core instance (instantiate $with-table))
  (core instance (instantiate $with-table))
  (core instance $main (instantiate $main))
  (func (export "count") (param "to" u32) (result u32)
    (canon lift (core func $main "count"))))
