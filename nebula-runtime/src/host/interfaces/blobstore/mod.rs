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
//! - A guest that does not import `finish`, which is there since August 2024, cannot call it. Its blob appears when the
//!   guest drops the stream.
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

use self::outgoing::End;
use super::imports::Imports;
use crate::{engine::Host, host::system::System};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:blobstore/"];

const TYPES: &str = "wasi:blobstore/types@0.2.0-draft";

/// Adds the interfaces.
pub(super) fn link(linker: &mut Linker<Host<System>>, imports: &Imports<'_>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    incoming::link(&mut types)?;
    let has_finish = imports.has_function(TYPES, outgoing::FINISH);
    outgoing::link(&mut types, if has_finish { End::Finish } else { End::Stream })?;
    let mut container = linker.instance("wasi:blobstore/container@0.2.0-draft")?;
    container::link(&mut container)?;
    names::link(&mut container)?;
    containers::link(&mut linker.instance("wasi:blobstore/blobstore@0.2.0-draft")?)
}
