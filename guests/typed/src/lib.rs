//! Typed functions. Each file of `examples/` is a component, and the file of `wit/` with the same name has its types.
