;; Never ends, and never calls its host: only an interruption of its code stops it.
(module
  (func (export "spin")
    (loop $again (br $again))))
