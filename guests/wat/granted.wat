;; A core module that asks WASI for its environment and its folders. By default it has neither, so both results are 0.
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $fd_prestat_get (param i32 i32) (result i32)))

  (memory (export "memory") 1)

  ;; Returns the number of environment variables.
  (func (export "variables") (result i32)
    (drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))
    (i32.load (i32.const 0)))

  ;; Returns the number of folders. They are the descriptors from 3 on, up to the first one that is not a folder.
  (func (export "folders") (result i32)
    (local $descriptor i32)
    (local.set $descriptor (i32.const 3))
    (loop $next
      (if (i32.eqz (call $fd_prestat_get (local.get $descriptor) (i32.const 8)))
        (then
          (local.set $descriptor (i32.add (local.get $descriptor) (i32.const 1)))
          (br $next))))
    (i32.sub (local.get $descriptor) (i32.const 3))))
