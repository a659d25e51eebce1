//! The interfaces of key-value stores that guests import. All have the same functions, and differ in a few types:
//!
//! | interface | what differs |
//! |---|---|
//! | `wasi:keyvalue` 0.2.0-draft (`draft`) | cursors and numbers are `u64`; values of several keys come with their keys |
//! | `wasi:keyvalue` 0.2.0-draft2 (`draft2`) | cursors are texts, numbers are `s64`; it has compare-and-swap; values of several keys come in one of two shapes |
//! | `fermyon:spin/key-value` 2.0.0 (`spin`) | all keys come at once |
//! | `spin:key-value` 3.0.0 (`spin3`) | the same with `async` functions; keys come as a stream |
//!
//! What they share is in `interface`.

mod draft;
mod draft2;
mod interface;
mod spin;
mod spin3;

use wasmtime::component::Linker;

use super::imports::Imports;
use crate::{
    engine::{Engine, Host},
    host::system::System,
};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:keyvalue/", "fermyon:spin/key-value@", "spin:key-value/"];

/// Adds the interfaces.
pub(super) fn link(linker: &mut Linker<Host<System>>, engine: &Engine, imports: &Imports<'_>) -> wasmtime::Result<()> {
    draft::link(linker)?;
    draft2::link(linker, imports)?;
    spin::link(linker)?;
    if engine.is_concurrent() { spin3::link(linker) } else { Ok(()) }
}
