//! Stores: blobs named by their digests, and a record for each function.
//!
//! ```text
//! nebula-store.json      {"format":1}: the format of the store; in a folder also the lock of its writers
//! blobs/sha256/<hex>     modules, configurations, manifests, signatures: immutable
//! functions/<name>.json  the next number, versions (manifest, when, by whom, from where, signatures), aliases and their
//!                        history, and which versions were removed: replaced as a whole
//! functions/<name>.json.damaged-<hex>   a record that could not be understood when the function was published again
//! unneeded/sha256/<hex>  blobs that nothing needs, for a while before they are removed: read as those of `blobs/`
//! damaged/sha256/<hex>-<hex>   blobs that were corrupt when they were verified: never read
//! services/              values that services keep beside the store, in a folder: no part of the store
//! ```
//!
//! A version's manifest is an OCI image manifest that names a configuration and the module. A publish writes from the
//! leaves to the root, blobs before the manifest and that before the record, so that a reader who finds a name finds
//! all of its blobs.

mod alias;
mod backend;
mod blob;
mod bucket_objects;
pub(crate) mod cache;
mod cloud;
#[cfg(any(test, feature = "test-kit"))]
pub mod conformance;
mod damage;
mod document;
mod error;
mod failure;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod flight;
mod folder;
mod format;
mod functions;
mod handle;
mod health;
#[cfg(feature = "compiler")]
mod keep;
mod layout;
mod lock;
mod manifest;
pub(crate) mod obstacle;
mod origin;
mod packaged;
mod record;
mod removal;
mod shared;
mod stamp;
mod terms;
#[cfg(test)]
mod tests;
pub mod trust;
mod url;
mod version;

pub use object_store;

#[cfg(feature = "s3")]
pub(crate) use self::cloud::objects_sent_once;
#[cfg(any(feature = "cloud", feature = "nats", feature = "redis"))]
pub use self::cloud::use_ring;
#[cfg(feature = "compiler")]
pub use self::keep::{
    Garbage, GarbageFate, GcOptions, GcReport, Progress, StoreProblem, StoreProblemKind, Total, Verification,
};
#[cfg(feature = "compiler")]
pub(crate) use self::terms::Terms;
pub use self::{
    alias::{Alias, AliasChange, AliasMove},
    error::{BackendError, StoreError},
    handle::Store,
    health::StoreHealth,
    manifest::Manifest,
    origin::Origin,
    packaged::PackagedStore,
    record::{FunctionRecord, RemovedVersion, VersionEntry},
    removal::{IfPointedTo, Removal},
    shared::StoreAccess,
    terms::{Precondition, Revised},
    url::{InvalidStoreUrl, StoreUrl},
    version::{NewVersion, PublishedVersion, VersionBlobs},
};
pub(crate) use self::{
    bucket_objects::bucket_objects,
    functions::{RecordTag, Reread},
    shared::is_no_bucket,
};
