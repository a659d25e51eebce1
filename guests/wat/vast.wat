;; Wants 4 GiB of memory before its first instruction, which is more than any function gets by default.
(module
  (memory 65536)

  (func (export "vast") (result i32)
    (memory.size)))
