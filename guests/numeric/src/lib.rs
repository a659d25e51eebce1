//! Functions from numbers to numbers, one in each file of `examples/`.
//!
//! What has no answer in its result type ends in `abort`, which is WebAssembly's `unreachable`: a trap, and no wrong
//! number.
