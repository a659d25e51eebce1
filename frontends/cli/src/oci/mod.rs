//! Functions in registries: OCI artifacts in the CNCF's "Wasm OCI Artifact layout", and their signatures.
//!
//! [`pull()`] reads an artifact that any tool pushed, and the signatures beside it. [`push()`] copies a version's own blobs,
//! so that its manifest has the same digest in the registry as in the store.

mod answer;
mod artifact;
mod authorization;
mod blob;
mod connection;
mod credentials;
mod descriptor;
mod error;
mod pull;
mod push;
mod reference;
mod registry;
mod signatures;
#[cfg(test)]
mod tests;

#[cfg(feature = "test-kit")]
pub(crate) use self::artifact::{Artifact, function_config};
pub(crate) use self::{
    blob::Blob,
    error::OciError,
    pull::{Pulled, Resolved, pull, resolve},
    push::{push, push_image},
    reference::{InvalidOciReference, OciReference, SCHEME},
};
