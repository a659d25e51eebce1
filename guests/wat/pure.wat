;; Functions whose results processors may choose differently, unless they are asked for the same: the bits of a NaN, and the
;; results of relaxed SIMD. And functions that fail, or see how much memory they may have.
(module
  (memory 1)

  ;; The bits of a / b: 0 / 0 is a NaN.
  (func (export "bits") (param f32 f32) (result i32)
    (i32.reinterpret_f32 (f32.div (local.get 0) (local.get 1))))

  ;; The lane of a vector of sevens that an index chooses. WebAssembly leaves open what an index from 16 to 127 chooses.
  (func (export "lane") (param i32) (result i32)
    (i8x16.extract_lane_u 0
      (i8x16.relaxed_swizzle
        (v128.const i8x16 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7)
        (i8x16.splat (local.get 0)))))

  (func (export "div") (param i32 i32) (result i32)
    (i32.div_s (local.get 0) (local.get 1)))

  ;; How many pages the memory has after it has grown as far as it may.
  (func (export "pages") (result i32)
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (memory.size))

  ;; Counts down from the argument.
  (func (export "count") (param i64) (result i64)
    (loop $more
      (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
      (br_if $more (i64.gt_s (local.get 0) (i64.const 0))))
    (local.get 0)))
