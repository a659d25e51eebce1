;; Loops forever without calling the host. Only an interruption of its code stops it.
(module
  (func (export "spin")
    (loop $again (br $again))))
