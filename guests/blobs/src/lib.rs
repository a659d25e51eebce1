//! Components that keep blobs. Each file of `examples/` is a component, and the world of the same name in `wit/` has
//! its types.
