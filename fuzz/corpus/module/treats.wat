;; Returns how many treats to give: as many as the argument says, and none for a negative number.
(module
  (func (export "treats") (param $asked i32) (result i32)
    (select
      (local.get $asked)
      (i32.const 0)
      (i32.gt_s (local.get $asked) (i32.const 0)))))
