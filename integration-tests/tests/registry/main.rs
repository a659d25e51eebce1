//! Signatures, and functions in a registry.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod artifacts;
mod images;
mod origins;
mod signatures;
mod team;
