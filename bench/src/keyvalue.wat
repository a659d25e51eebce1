;; Operations on a key-value store, so many in one call, and as many calls of a host function that does next to nothing.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $failure (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $failure)))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))
    (export "[method]bucket.get" (func (param "self" (borrow $bucket)) (param "key" string)
      (result (result (option (list u8)) (error $error)))))
    (export "[method]bucket.set" (func (param "self" (borrow $bucket)) (param "key" string) (param "value" (list u8))
      (result (result (error $error)))))))
  (core module $memory
    (memory (export "memory") 1)
    ;; Each result may overwrite the one before.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $memory (instantiate $memory))
  (core func $now (canon lower (func $clock "now")))
  (core func $open (canon lower (func $store "open")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $get (canon lower (func $store "[method]bucket.get")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $set (canon lower (func $store "[method]bucket.set")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core module $guest
    (import "memory" "memory" (memory 1))
    (import "host" "now" (func $now (result i64)))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (import "host" "get" (func $get (param i32 i32 i32 i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i32 i32)))
    (data (i32.const 0) "default")
    ;; Traps if the result at 64 is an error.
    (func $succeeded (if (i32.load8_u (i32.const 64)) (then unreachable)))
    (func $opened (result i32)
      (call $open (i32.const 0) (i32.const 7) (i32.const 64)) (call $succeeded) (i32.load (i32.const 68)))
    (func (export "nows") (param $times i32)
      (loop $again
        (drop (call $now))
        (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
    (func (export "gets") (param $times i32) (local $bucket i32)
      (local.set $bucket (call $opened))
      (loop $again
        (call $get (local.get $bucket) (i32.const 0) (i32.const 1) (i32.const 64)) (call $succeeded)
        (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
    (func (export "sets") (param $times i32) (local $bucket i32)
      (local.set $bucket (call $opened))
      (loop $again
        (call $set (local.get $bucket) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 7) (i32.const 64))
        (call $succeeded)
        (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))))
  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "host" (instance
      (export "now" (func $now)) (export "open" (func $open)) (export "get" (func $get)) (export "set" (func $set))))))
  (func (export "nows") (param "times" u32) (canon lift (core func $guest "nows")))
  (func (export "gets") (param "times" u32) (canon lift (core func $guest "gets")))
  (func (export "sets") (param "times" u32) (canon lift (core func $guest "sets"))))
