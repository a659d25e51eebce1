//! Which format a store and its documents have.

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{
    backend::{Backend, Put},
    error::StoreError,
    layout::MARKER,
};

/// The format of stores that this build makes, and the newest that it reads. Records have a format of their own.
const FORMAT: u64 = 1;

/// The format that every document of the store names, whatever else is in it.
#[derive(Serialize, Deserialize)]
struct Marker {
    #[serde(default = "first")]
    format: u64,
}

fn first() -> u64 {
    1
}

/// Marks a new store, and refuses one of a newer format.
pub(super) async fn check(backend: &Backend) -> Result<(), StoreError> {
    let path = Path::from(MARKER);
    let mut found = backend.get(&path).await?;
    if found.is_none() {
        let marker =
            serde_json::to_vec(&Marker { format: FORMAT }).map_err(|source| backend.malformed(&path, source))?;
        match backend.create(&path, Bytes::from(marker)).await? {
            Put::Written => return Ok(()),
            // Another process makes the new store at the same time, and may be a newer Nebula.
            Put::Conflict => found = backend.get(&path).await?,
        }
    }
    let bytes = found.map(|object| object.bytes).unwrap_or_default();
    of(backend, &path, &bytes, FORMAT).map(drop)
}

/// Refuses a store that is gone, or was replaced by one of a newer format.
pub(super) async fn recheck(backend: &Backend) -> Result<(), StoreError> {
    let path = Path::from(MARKER);
    match backend.get(&path).await? {
        Some(object) => of(backend, &path, &object.bytes, FORMAT).map(drop),
        None => Err(StoreError::Gone { store: backend.name() }),
    }
}

/// The format of the document in an object's bytes; 1 where it names none. A format above `supported` is refused.
pub(super) fn of(backend: &Backend, path: &Path, bytes: &[u8], supported: u64) -> Result<u64, StoreError> {
    let Marker { format: found } = backend.decode(path, bytes)?;
    if found > supported {
        let (object, store) = (path.to_string(), backend.name());
        return Err(StoreError::NewerFormat { object, store, found, supported });
    }
    Ok(found)
}
