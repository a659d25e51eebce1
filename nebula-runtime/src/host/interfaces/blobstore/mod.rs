//! `wasi:blobstore` 0.2.0-draft. Its streams are those of `wasi:io`, in whichever version the guest imports it.
//!
//! | interface | file |
//! |---|---|
//! | `blobstore`: finding containers, copying and moving blobs | `containers` |
//! | `container`: the blobs of a container | `container`, `names` |
//! | `types`: a blob that is read | `incoming` |
//! | `types`: a blob that is written | `outgoing`, `pipe` |
//!
//! What the proposal leaves open, or hosts do differently:
//!
//! - The last byte of a range belongs to it. A range is cut at the end of the blob, and may begin behind it.
//! - A blob appears when the guest calls `finish`. A blob that is dropped before does not appear.
//! - A guest has the containers that its configuration grants, and can neither make nor delete one.
//! - Times are in seconds since 1970. That of a container is 0, because services do not know it.

mod container;
mod containers;
mod incoming;
mod interface;
mod names;
mod outgoing;
mod pipe;

use wasmtime::component::Linker;

use crate::{engine::Host, host::system::System};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:blobstore/"];

/// Adds the interfaces.
pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:blobstore/types@0.2.0-draft")?;
    incoming::link(&mut types)?;
    outgoing::link(&mut types)?;
    let mut container = linker.instance("wasi:blobstore/container@0.2.0-draft")?;
    container::link(&mut container)?;
    names::link(&mut container)?;
    containers::link(&mut linker.instance("wasi:blobstore/blobstore@0.2.0-draft")?)
}
