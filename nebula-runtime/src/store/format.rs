//! Which format a store and its documents have.

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{backend::Backend, error::StoreError, layout::MARKER};

/// The format of stores that this build makes, and the newest that it reads. Records have a format of their own.
const FORMAT: u64 = 1;

/// What the marker says.
#[derive(Serialize, Deserialize)]
struct Marker {
    format: u64,
}

/// Marks a new store, and refuses one of a newer format.
pub(super) async fn check(backend: &Backend) -> Result<(), StoreError> {
    let path = Path::from(MARKER);
    let mut found = backend.get(&path).await?;
    if found.is_none() {
        let marker =
            serde_json::to_vec(&Marker { format: FORMAT }).map_err(|source| backend.malformed(&path, source))?;
        // Another process may make the new store at the same time, and may be a newer Nebula.
        found = backend.create(&path, Bytes::from(marker)).await?;
    }
    found.map_or(Ok(()), |object| read(backend, &path, &object.bytes))
}

/// Refuses a store that is gone, or was replaced by one of a newer format.
pub(super) async fn recheck(backend: &Backend) -> Result<(), StoreError> {
    let path = Path::from(MARKER);
    match backend.get(&path).await? {
        Some(object) => read(backend, &path, &object.bytes),
        None => Err(StoreError::Gone { store: backend.name() }),
    }
}

fn read(backend: &Backend, path: &Path, marker: &[u8]) -> Result<(), StoreError> {
    let Marker { format } = backend.decode(path, marker)?;
    refuse_newer(backend, path, format, FORMAT)
}

/// Refuses the document at `path` if its format is above `supported`.
pub(super) fn refuse_newer(backend: &Backend, path: &Path, found: u64, supported: u64) -> Result<(), StoreError> {
    if found > supported {
        let (object, store) = (path.to_string(), backend.name());
        return Err(StoreError::NewerFormat { object, store, found, supported });
    }
    Ok(())
}
