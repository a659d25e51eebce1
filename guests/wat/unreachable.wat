;; Traps.
(module
  (func (export "unreachable")
    unreachable))
