//! The version of the store's own layout and documents.

use bytes::Bytes;
use object_store::path::Path;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    backend::{Backend, Put},
    error::StoreError,
    layout::MARKER,
    url::StoreUrl,
};

/// The format that this build writes, and the newest that it reads.
pub(super) const FORMAT: u64 = 1;

/// What every document of the store says of itself, whatever else is in it.
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
        match backend.create(&path, Bytes::from(marker)).await? {
            Put::Written => return Ok(()),
            // Somebody else opens the new store right now, and may be a newer Nebula.
            Put::Conflict => found = backend.get(&path).await?,
        }
    }
    let bytes = found.map(|object| object.bytes).unwrap_or_default();
    decode(backend, &path, &bytes).map(|Marker { .. }| ())
}

/// Refuses a store that is not there any more, or is another one by now. A store in memory needs no marker: it is there as
/// long as its handles are.
pub(super) async fn recheck(backend: &Backend) -> Result<(), StoreError> {
    let path = Path::from(MARKER);
    match backend.get(&path).await? {
        Some(object) => decode(backend, &path, &object.bytes).map(|Marker { .. }| ()),
        None if *backend.url() == StoreUrl::MEMORY => Ok(()),
        None => Err(StoreError::Gone { store: backend.url().clone() }),
    }
}

/// The document in an object's bytes. One of a newer format is refused for that, and not for what else is new in it.
pub(super) fn decode<T: DeserializeOwned>(backend: &Backend, path: &Path, bytes: &[u8]) -> Result<T, StoreError> {
    let Marker { format: found } = backend.decode(path, bytes)?;
    if found > FORMAT {
        let (object, store) = (path.to_string(), backend.url().clone());
        return Err(StoreError::NewerFormat { object, store, found, supported: FORMAT });
    }
    backend.decode(path, bytes)
}
