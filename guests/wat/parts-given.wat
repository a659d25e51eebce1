;; A component that is passed to another one, which instantiates it ten times. If this is nested, a few lines make a
;; billion core instances.
(component
  (component $leaf (core module $part) (core instance (instantiate $part)))
  (component $ten (import "part" (component $part))
    (instance (instantiate $part)) (instance (instantiate $part)) (instance (instantiate $part))
    (instance (instantiate $part)) (instance (instantiate $part)) (instance (instantiate $part))
    (instance (instantiate $part)) (instance (instantiate $part)) (instance (instantiate $part))
    (instance (instantiate $part)))
  (instance (instantiate $ten (with "part" (component $leaf))))
  (core module $main (func (export "one") (result i32) (i32.const 1)))
  (core instance $main (instantiate $main))
  (func (export "one") (result u32) (canon lift (core func $main "one"))))
