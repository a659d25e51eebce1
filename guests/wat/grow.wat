;; Asks for more memory and copes with a refusal: answers how many pages of 64 KiB it has in the end, 1 at least.
(module
  (memory 1)

  (func (export "grow") (param $pages i32) (result i32)
    (drop (memory.grow (local.get $pages)))
    (memory.size)))
