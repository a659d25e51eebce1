;; A command of fourteen core instances, like the components of some languages. It counts for a while, so that several
;; invocations run at once, and then succeeds.
(component
  (core module $part)
  (core module $main
    (func (export "run") (result i32)
      (local $left i32)
      (local.set $left (i32.const 5000000))
      (loop $again
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left)))
      (i32.const 0)))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance (instantiate $part))
  (core instance $main (instantiate $main))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $exported)))
