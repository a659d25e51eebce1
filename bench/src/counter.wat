;; Counts in the key-value store "default", so often as it is told, by the `increment` of wasi:keyvalue 0.2.0-draft2.
(component $component
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $error-shape (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $error-shape)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $error))
  (import "wasi:keyvalue/atomics@0.2.0-draft2" (instance $atomics
    (alias outer $component $bucket (type $outer-bucket))
    (alias outer $component $error (type $outer-error))
    (export "bucket" (type $bucket (eq $outer-bucket)))
    (export "error" (type $error (eq $outer-error)))
    (export "increment"
      (func (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" s64)
        (result (result s64 (error $error)))))))

  (core module $memory
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))))
  (core instance $memory (instantiate $memory))
  (core func $open (canon lower (func $store "open")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $increment (canon lower (func $atomics "increment")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))

  (core module $counter
    (import "host" "memory" (memory 1))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    (data (i32.const 64) "default")
    (data (i32.const 80) "calls")
    (func (export "count") (param $times i32) (result i64)
      (call $open (i32.const 64) (i32.const 7) (i32.const 0))
      (if (i32.load8_u (i32.const 0)) (then unreachable))
      (loop $again
        (call $increment (i32.load (i32.const 4)) (i32.const 80) (i32.const 5) (i64.const 1) (i32.const 16))
        (if (i32.load8_u (i32.const 16)) (then unreachable))
        (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
      (i64.load (i32.const 24))))
  (core instance $counter (instantiate $counter (with "host" (instance
    (export "memory" (memory $memory "memory"))
    (export "open" (func $open))
    (export "increment" (func $increment))))))
  (func (export "count") (param "times" u32) (result s64) (canon lift (core func $counter "count"))))
