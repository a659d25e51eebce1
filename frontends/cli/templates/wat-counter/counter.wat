;; A component: it counts in a key-value store of its host, through wasi:keyvalue.
(component
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $cases (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $cases)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (alias export $store "bucket" (type $bucket))
  (alias export $store "error" (type $error))
  (import "wasi:keyvalue/atomics@0.2.0-draft2" (instance $atomics
    (alias outer 1 $bucket (type $bucket))
    (alias outer 1 $error (type $error))
    (export "increment" (func (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" s64)
      (result (result s64 (error $error)))))))

  ;; The memory has room for the longest argument. Each call has an instance of its own, so nothing is freed.
  (core module $memory
    (memory (export "memory") 128)
    (global $free (mut i32) (i32.const 256))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $new i32)
      (local.set $new (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $new) (local.get 3)))
      (local.get $new))
    (data (i32.const 0) "default")
    (data (i32.const 16) "the store is not there, or not for this function"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $open (canon lower (func $store "open") (memory $bytes) (realloc $realloc)))
  (core func $increment (canon lower (func $atomics "increment") (memory $bytes) (realloc $realloc)))

  (core module $counter
    (import "memory" "memory" (memory 128))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
    ;; `open` writes what it returns to 96, `increment` to 128. At 160 is what `count` returns.
    (func (export "count") (param $page i32) (param $length i32) (result i32)
      (call $open (i32.const 0) (i32.const 7) (i32.const 96))
      (if (i32.load8_u (i32.const 96)) (then (return (call $fail (i32.const 100)))))
      (call $increment (i32.load (i32.const 100)) (local.get $page) (local.get $length) (i64.const 1) (i32.const 128))
      (if (i32.load8_u (i32.const 128)) (then (return (call $fail (i32.const 136)))))
      (i32.store8 (i32.const 160) (i32.const 0))
      (i64.store (i32.const 168) (i64.load (i32.const 136)))
      (i32.const 160))
    ;; The third error has a text of its own.
    (func $fail (param $error i32) (result i32)
      (local $has_text i32)
      (local.set $has_text (i32.eq (i32.load8_u (local.get $error)) (i32.const 2)))
      (i32.store8 (i32.const 160) (i32.const 1))
      (i32.store (i32.const 168)
        (select (i32.load offset=4 (local.get $error)) (i32.const 16) (local.get $has_text)))
      (i32.store (i32.const 172)
        (select (i32.load offset=8 (local.get $error)) (i32.const 48) (local.get $has_text)))
      (i32.const 160)))
  (core instance $counter (instantiate $counter
    (with "memory" (instance $memory))
    (with "host" (instance (export "open" (func $open)) (export "increment" (func $increment))))))

  (func (export "count") (param "page" string) (result (result s64 (error string)))
    (canon lift (core func $counter "count") (memory $bytes) (realloc $realloc))))
