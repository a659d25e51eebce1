//! The records of all functions.

use std::{sync::Arc, time::Duration};

use object_store::path::Path;

use super::{
    alias::AliasMove,
    backend::{Backend, Found, Object, Put, Replacement},
    damage::DamagedRecord,
    document,
    error::StoreError,
    layout::{self, FUNCTIONS},
    record::FunctionRecord,
    terms::{Revised, Terms},
};
use crate::function::{Digest, FunctionName};

/// How often a change is tried while others change the same record.
pub(super) const ATTEMPTS: u32 = 32;

/// The names of all functions, in alphabetical order. Other files in the folder are ignored.
pub(super) async fn names(backend: &Backend) -> Result<Vec<FunctionName>, StoreError> {
    let files = backend.list(&Path::from(FUNCTIONS)).await?;
    let mut names: Vec<FunctionName> =
        files.iter().filter_map(|file| file.strip_suffix(".json")?.parse().ok()).collect();
    names.sort_unstable();
    Ok(names)
}

/// The record of one function, if it was ever published.
pub(super) async fn read(backend: &Backend, name: &FunctionName) -> Result<Option<FunctionRecord>, StoreError> {
    Ok(read_revised(backend, name).await?.map(|read| read.value))
}

/// The record of one function and its revision, if it was ever published.
pub(super) async fn read_revised(
    backend: &Backend,
    name: &FunctionName,
) -> Result<Option<Revised<FunctionRecord>>, StoreError> {
    let path = layout::record(name);
    let Some(object) = backend.get(&path).await? else { return Ok(None) };
    let value = document::read(backend, &path, &object.bytes)?;
    Ok(Some(Revised { value, revision: Some(Digest::of(&object.bytes)) }))
}

/// What a reader finds of a record who has read it before.
#[derive(Debug)]
pub(crate) enum Reread {
    /// The record is the one that was read.
    Unchanged,
    /// The record as it is now, and what it is known by when it is read again.
    Record(FunctionRecord, Option<RecordTag>),
    /// The function was never published.
    Absent,
}

/// What a record is known by that was read: [`reread`] then does not send it again.
#[derive(Debug, Clone)]
pub(crate) struct RecordTag(String);

/// The record of one function, unless it is still the one with the tag `seen`.
pub(super) async fn reread(
    backend: &Backend,
    name: &FunctionName,
    seen: Option<RecordTag>,
) -> Result<Reread, StoreError> {
    let path = layout::record(name);
    Ok(match backend.get_unless(&path, seen.map(|tag| tag.0)).await? {
        Found::Unchanged => Reread::Unchanged,
        Found::Nothing => Reread::Absent,
        Found::Object(Object { bytes, version }) => {
            Reread::Record(document::read(backend, &path, &bytes)?, backend.tag(&version).map(RecordTag))
        }
    })
}

/// What a change to a record did.
pub(super) struct Changed<T> {
    /// The result for the caller.
    pub(super) result: T,
    /// Whether the record is another one than before, and is to be written.
    pub(super) changed: bool,
}

impl Changed<AliasMove> {
    pub(super) fn of_alias(moved: AliasMove) -> Self {
        Self { changed: moved.changed(), result: moved }
    }
}

/// What to do with a record that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfDamaged {
    /// Move it aside and begin a new one.
    Replace,
    /// Fail.
    Fail,
}

/// Changes a function's record in one step: every other reader and writer sees it before or after.
///
/// `change` gets the record as it is, or an empty one. It is called again where another writer was first. `terms` are
/// checked each time, with the record that is then replaced.
pub(super) async fn change<T, C>(
    backend: &Arc<Backend>,
    name: &FunctionName,
    terms: &Terms,
    if_damaged: IfDamaged,
    change: C,
) -> Result<T, StoreError>
where
    T: Send + 'static,
    C: Fn(&mut FunctionRecord) -> Result<Changed<T>, StoreError> + Send + Sync + 'static,
{
    backend.prove().await?;
    let writer = Writer { backend: Arc::clone(backend), name: name.clone(), terms: terms.clone(), if_damaged, change };
    match backend.replacement() {
        Replacement::CompareAndSwap => writer.run().await,
        Replacement::Lock(lock) => lock.hold(writer.run()).await,
    }
}

/// Owns what it needs: under a lock it goes on after its caller has left.
struct Writer<C> {
    backend: Arc<Backend>,
    name: FunctionName,
    terms: Terms,
    if_damaged: IfDamaged,
    change: C,
}

impl<T, C: Fn(&mut FunctionRecord) -> Result<Changed<T>, StoreError>> Writer<C> {
    async fn run(self) -> Result<T, StoreError> {
        for attempt in 0..ATTEMPTS {
            if let Some(result) = self.attempt().await? {
                return Ok(result);
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        let (function, store) = (self.name, self.backend.name());
        Err(StoreError::Contended { function, store, attempts: ATTEMPTS })
    }

    /// Reads the record, changes it and writes it; `None` where another writer changed it meanwhile.
    async fn attempt(&self) -> Result<Option<T>, StoreError> {
        let path = layout::record(&self.name);
        let found = self.backend.get(&path).await?;
        let (mut record, damage) = self.understand(&path, found.as_ref()).await?;
        let revision = found.as_ref().map(|found| Digest::of(&found.bytes));
        self.terms.check(&self.name, revision, &record)?;
        let Changed { result, changed } = (self.change)(&mut record)?;
        if !changed {
            self.terms.note(revision);
            return Ok(Some(result));
        }
        let bytes = document::write(&self.backend, &path, &record)?;
        let revision = Digest::of(&bytes);
        match self.backend.replace(&path, bytes, found.map(|found| found.version)).await? {
            Put::Written => {
                self.terms.note(Some(revision));
                damage.inspect(|damage| damage.warn(&self.name, record.latest().map_or(0, |(number, _)| number)));
                Ok(Some(result))
            }
            Put::Conflict => Ok(None),
        }
    }

    /// The record that was found. A damaged record is replaced by a new one, and its damage is returned with it. A
    /// record of a newer format is not damaged, and stays as it is.
    async fn understand(
        &self,
        path: &Path,
        found: Option<&Object>,
    ) -> Result<(FunctionRecord, Option<DamagedRecord>), StoreError> {
        let Some(found) = found else { return Ok(Default::default()) };
        match document::read(&self.backend, path, &found.bytes) {
            Ok(record) => Ok((record, None)),
            Err(StoreError::Malformed { .. }) if self.if_damaged == IfDamaged::Replace => {
                let damage = DamagedRecord::keep(&self.backend, path, &found.bytes).await?;
                Ok((FunctionRecord::after(damage.used()), Some(damage)))
            }
            Err(error) => Err(error),
        }
    }
}

/// A time of random length, longer after more attempts, so that writers who met do not meet again.
fn pause(attempt: u32) -> Duration {
    Duration::from_micros(fastrand::u64(0..=1000 << attempt.min(6)))
}
