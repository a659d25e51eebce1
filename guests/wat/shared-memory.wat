;; Not a function for Nebula: it has a memory that it would share with other threads.
(module
  (memory 1 16 shared)

  (func (export "shared-memory") (result i32)
    (memory.size)))
