//! Where things are in a store.

use object_store::path::Path;

use crate::function::{Digest, FunctionName};

/// The object that says which format a store has. It never changes, so that it can be the lock of a folder as well.
pub(super) const MARKER: &str = "nebula-store.json";

/// The folder of the blobs. An OCI image layout has them at the same place.
pub(super) const BLOBS: &str = "blobs/sha256";

/// The folder of the functions' records.
pub(super) const FUNCTIONS: &str = "functions";

/// The path of a blob.
pub(super) fn blob(digest: Digest) -> Path {
    Path::from(format!("{BLOBS}/{}", digest.hex()))
}

/// The path of a function's record.
pub(super) fn record(name: &FunctionName) -> Path {
    Path::from(format!("{FUNCTIONS}/{name}.json"))
}
