//! Signatures, and functions in a registry.

mod artifacts;
mod images;
mod origins;
mod signatures;
mod team;
