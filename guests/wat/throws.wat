;; A command that throws an exception, which nothing catches.
(module
  (tag $nobody)
  (memory (export "memory") 1)

  (func (export "_start")
    (throw $nobody)))
