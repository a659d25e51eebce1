;; Counts its calls in a global. Each call has its own instance, so the count is always 1.
(module
  (global $calls (mut i32) (i32.const 0))

  (func (export "counter") (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (global.get $calls)))
