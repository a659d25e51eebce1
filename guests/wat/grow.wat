;; Grows its memory, and ignores a refusal. Returns the number of pages of 64 KiB at the end, which is at least 1.
(module
  (memory 1)

  (func (export "grow") (param $pages i32) (result i32)
    (drop (memory.grow (local.get $pages)))
    (memory.size)))
