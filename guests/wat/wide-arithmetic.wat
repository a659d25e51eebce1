;; Nebula refuses this module: it multiplies with instructions that are not in WebAssembly 3.0.
(module
  (func (export "wide-arithmetic") (param $a i64) (param $b i64) (result i64 i64)
    (i64.mul_wide_u (local.get $a) (local.get $b))))
