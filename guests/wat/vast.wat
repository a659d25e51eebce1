;; Declares a memory of 4 GiB, which is more than a function may have by default.
(module
  (memory 65536)

  (func (export "vast") (result i32)
    (memory.size)))
