//! Functions of numbers, one in each file of `examples/`.
//!
//! If the result does not fit its type, a function calls `abort`, which is WebAssembly's `unreachable`. It traps and
//! does not return a wrong number.
