//! Functions with types of their own, one component in each file of `examples/`, its types in the file of `wit/` that is
//! named like it.
