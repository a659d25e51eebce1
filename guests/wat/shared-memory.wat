;; Nebula refuses this module: it has a memory that is shared between threads.
(module
  (memory 1 16 shared)

  (func (export "shared-memory") (result i32)
    (memory.size)))
