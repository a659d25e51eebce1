//! The records of all functions.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::path::Path;

use super::{
    backend::{Backend, Object, Put, Replacement},
    damage::Damage,
    error::StoreError,
    format,
    layout::{self, FUNCTIONS},
    record::{FunctionRecord, Publication, VersionEntry},
};
use crate::function::{AliasName, FunctionName};

/// How often a publish is tried while others change the same record.
pub(super) const ATTEMPTS: u32 = 32;

/// The names of all functions, in alphabetical order. Whatever else is in the folder is not ours.
pub(super) async fn names(backend: &Backend) -> Result<Vec<FunctionName>, StoreError> {
    let files = backend.list(&Path::from(FUNCTIONS)).await?;
    let mut names: Vec<FunctionName> =
        files.iter().filter_map(|file| file.strip_suffix(".json")?.parse().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

/// The record of one function, if it was ever published.
pub(super) async fn read(backend: &Backend, name: &FunctionName) -> Result<Option<FunctionRecord>, StoreError> {
    let path = layout::record(name);
    let object = backend.get(&path).await?;
    object.map(|object| format::decode(backend, &path, &object.bytes)).transpose()
}

/// Publishes a version of a function: one step for every other reader and writer.
pub(super) async fn publish(
    backend: &Arc<Backend>,
    name: &FunctionName,
    entry: VersionEntry,
    alias: Option<&AliasName>,
) -> Result<Publication, StoreError> {
    let publish = Publish { backend: Arc::clone(backend), name: name.clone(), entry, alias: alias.cloned() };
    match backend.replacement() {
        Replacement::CompareAndSwap => publish.run().await,
        Replacement::Lock(lock) => lock.hold(publish.run()).await,
    }
}

/// Owns what it needs: under a lock it goes on when nobody waits for it any more.
struct Publish {
    backend: Arc<Backend>,
    name: FunctionName,
    entry: VersionEntry,
    alias: Option<AliasName>,
}

impl Publish {
    async fn run(self) -> Result<Publication, StoreError> {
        for attempt in 0..ATTEMPTS {
            if let Some(publication) = self.attempt().await? {
                return Ok(publication);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        let (function, store) = (self.name, self.backend.url().clone());
        Err(StoreError::Contended { function, store, attempts: ATTEMPTS })
    }

    /// Reads the record, changes it and writes it; `None` if somebody else did so meanwhile.
    async fn attempt(&self) -> Result<Option<Publication>, StoreError> {
        let path = layout::record(&self.name);
        let found = self.backend.get(&path).await?;
        let (mut record, damage) = self.understand(&path, found.as_ref()).await?;
        let used = damage.as_ref().map_or(0, Damage::used);
        let publication = record.publish(self.entry, self.alias.as_ref(), used);
        if !publication.changed {
            return Ok(Some(publication));
        }
        let bytes = serde_json::to_vec(&record).map_err(|source| self.backend.malformed(&path, source))?;
        match self.backend.replace(&path, Bytes::from(bytes), found.map(|found| found.version)).await? {
            Put::Written => {
                damage.inspect(|damage| damage.warn(&self.name, publication.number));
                Ok(Some(publication))
            }
            Put::Conflict => Ok(None),
        }
    }

    /// The record that was found. In place of one that is damaged: a new one, and the damage. A record of a newer
    /// format is not damaged, and stays as it is.
    async fn understand(
        &self,
        path: &Path,
        found: Option<&Object>,
    ) -> Result<(FunctionRecord, Option<Damage>), StoreError> {
        let Some(found) = found else { return Ok(Default::default()) };
        match format::decode(&self.backend, path, &found.bytes) {
            Ok(record) => Ok((record, None)),
            Err(StoreError::Malformed { .. }) => {
                let damage = Damage::keep(&self.backend, path, &found.bytes).await?;
                Ok((FunctionRecord::default(), Some(damage)))
            }
            Err(error) => Err(error),
        }
    }
}

/// A time of random length, longer after more attempts, so that writers who met do not meet again.
fn pause(attempt: u32) -> Duration {
    Duration::from_micros(fastrand::u64(0..=1000 << attempt.min(6)))
}
