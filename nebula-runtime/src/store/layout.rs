//! Where things are in a store.

use object_store::path::Path;

use crate::function::{Digest, FunctionName};

/// The object that says which format a store has. It never changes, so that it can be the lock of a folder as well.
pub(super) const MARKER: &str = "nebula-store.json";

/// The folder of the blobs. An OCI image layout has them at the same place.
pub(super) const BLOBS: &str = "blobs/sha256";

/// The folder of blobs that were not needed when garbage was last collected. They are read there, until they are removed.
pub(super) const UNNEEDED: &str = "unneeded/sha256";

/// The folder of the functions' records.
pub(super) const FUNCTIONS: &str = "functions";

/// The folder in which services keep values of functions, beside a store in a folder. It is no part of the store: nothing
/// here reads, lists or removes it.
pub(super) const SERVICES: &str = "services";

/// The path of a blob.
pub(super) fn blob(digest: Digest) -> Path {
    Path::from(format!("{BLOBS}/{}", digest.hex()))
}

/// The path of a blob that is set aside, because nothing needed it.
pub(super) fn unneeded(digest: Digest) -> Path {
    Path::from(format!("{UNNEEDED}/{}", digest.hex()))
}

/// Where a corrupt blob is kept whose bytes have the digest `found`. Nothing reads it there.
#[cfg(feature = "compiler")]
pub(super) fn damaged(digest: Digest, found: Digest) -> Path {
    let found: String = found.hex().chars().take(16).collect();
    Path::from(format!("damaged/sha256/{}-{found}", digest.hex()))
}

/// The path of a function's record.
pub(super) fn record(name: &FunctionName) -> Path {
    Path::from(format!("{FUNCTIONS}/{name}.json"))
}
