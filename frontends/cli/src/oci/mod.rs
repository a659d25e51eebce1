//! Functions in registries: OCI artifacts in the CNCF's "Wasm OCI Artifact layout", and their signatures.
//!
//! [`pull()`] reads an artifact that any tool pushed, and the signatures beside it. [`push()`] copies a version's own blobs,
//! so that its manifest has the same digest in the registry as in the store.

mod artifact;
mod descriptor;
mod error;
mod pull;
mod push;
mod reference;
mod registry;
mod signatures;

pub(crate) use self::{
    error::OciError,
    pull::{Pulled, pull, resolve},
    push::push,
    reference::{InvalidOciReference, OciReference, SCHEME},
};
