//! The records of all functions.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{UpdateVersion, path::Path};

use super::{
    FunctionRecord, StoreError, VersionEntry,
    backend::{Backend, Put, Replacement},
    format,
    record::Publication,
};
use crate::{AliasName, FunctionName};

const FOLDER: &str = "functions";

/// How often a publish is tried while others change the same record.
pub(super) const ATTEMPTS: u32 = 32;

/// The names of all functions, in alphabetical order. Whatever else is in the folder is not ours.
pub(super) async fn names(backend: &Backend) -> Result<Vec<FunctionName>, StoreError> {
    let files = backend.list(&Path::from(FOLDER)).await?;
    let mut names: Vec<FunctionName> =
        files.iter().filter_map(|file| file.strip_suffix(".json")?.parse().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

/// The record of one function, if it was ever published.
pub(super) async fn read(backend: &Backend, name: &FunctionName) -> Result<Option<FunctionRecord>, StoreError> {
    Ok(read_versioned(backend, name).await?.map(|(record, _)| record))
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
        let (mut record, seen) = read_versioned(&self.backend, &self.name).await?.unzip();
        let record = record.get_or_insert_default();
        let publication = record.publish(self.entry, self.alias.as_ref());
        if !publication.changed {
            return Ok(Some(publication));
        }
        let path = path(&self.name);
        let bytes = serde_json::to_vec(record).map_err(|source| self.backend.malformed(&path, source))?;
        match self.backend.replace(&path, Bytes::from(bytes), seen).await? {
            Put::Written => Ok(Some(publication)),
            Put::Conflict => Ok(None),
        }
    }
}

/// A time of random length, longer after more attempts, so that writers who met do not meet again.
fn pause(attempt: u32) -> Duration {
    Duration::from_micros(fastrand::u64(0..=1000 << attempt.min(6)))
}

async fn read_versioned(
    backend: &Backend,
    name: &FunctionName,
) -> Result<Option<(FunctionRecord, UpdateVersion)>, StoreError> {
    let path = path(name);
    match backend.get(&path).await? {
        Some(object) => Ok(Some((format::decode(backend, &path, &object.bytes)?, object.version))),
        None => Ok(None),
    }
}

pub(super) fn path(name: &FunctionName) -> Path {
    Path::from(format!("{FOLDER}/{name}.json"))
}
