;; Grows its memory, and ignores a refusal. Returns the number of pages of 64 KiB at the end, which is at least 1.
;; `forever` never ends.
(module
  (memory 1)

  (func (export "grow") (param $pages i32) (result i32)
    (drop (memory.grow (local.get $pages)))
    (memory.size))
  (func (export "forever")
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (br $again))))
