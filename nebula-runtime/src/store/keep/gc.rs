//! Removing blobs that nothing needs.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::{
    super::{
        backend::Backend,
        blob::Blob,
        error::StoreError,
        handle::Store,
        layout::{self, BLOBS, UNNEEDED},
    },
    AT_ONCE,
    contents::{Listed, Unfinished},
    damaged,
    needed::needed,
    progress::Progress,
};
use crate::function::{Digest, Timestamp};

/// Which blobs are garbage, and whether they are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcOptions {
    /// How long the blobs of a removed version are needed after its removal: 90 days by default.
    pub retention: Duration,
    /// How long a blob stays set aside before it is removed: 24 hours by default. It is longer than any publish takes,
    /// and longer than a server goes on with a version that was removed. With a grace of zero, blobs are removed at
    /// once: that is safe only while nobody publishes.
    pub grace: Duration,
    /// Whether the store is changed. By default, the report only says what would be done.
    pub delete: bool,
}

/// What [`Store::collect_garbage`] did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GcReport {
    /// Whether it was done. Otherwise the store is as it was.
    pub deleted: bool,
    /// The blobs that are needed.
    pub needed: Total,
    /// The blobs that were set aside before, and stay there for now.
    pub waiting: Total,
    /// The files that writers left unfinished, and that are removed. Only a folder has such files.
    pub unfinished: Total,
    /// The blobs that are moved or removed, in the order of their digests.
    pub garbage: Vec<Garbage>,
}

/// A number of blobs or files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    /// How many they are.
    pub blobs: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}

/// A blob that is moved or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Garbage {
    /// Its digest.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// When it was written to where it is.
    pub written: Timestamp,
    /// What becomes of it.
    pub fate: GarbageFate,
}

/// What becomes of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GarbageFate {
    /// Nothing needs it: it is set aside.
    SetAside,
    /// It was set aside long enough, or there is no grace: it is removed.
    Removed,
    /// It was set aside, and is needed after all: it is put back.
    PutBack,
}

impl Default for GcOptions {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { retention: 90 * DAY, grace: DAY, delete: false }
    }
}

impl GcReport {
    /// The blobs with this fate, in all.
    pub fn total(&self, fate: GarbageFate) -> Total {
        let alike = self.garbage.iter().filter(|garbage| garbage.fate == fate);
        alike.map(|garbage| garbage.size).collect()
    }

    /// The report of a run that removes what it sets aside.
    fn without_grace(mut self) -> Self {
        let set_aside = self.garbage.iter_mut().filter(|garbage| garbage.fate == GarbageFate::SetAside);
        set_aside.for_each(|garbage| garbage.fate = GarbageFate::Removed);
        self
    }
}

impl FromIterator<u64> for Total {
    fn from_iter<T: IntoIterator<Item = u64>>(sizes: T) -> Self {
        sizes.into_iter().fold(Self::default(), |total, size| Self {
            blobs: total.blobs + 1,
            bytes: total.bytes.saturating_add(size),
        })
    }
}

impl Store {
    /// Removes blobs that no version needs: neither one that exists nor one that was removed within the retention. By
    /// default it only tells which these are.
    ///
    /// A blob that nothing needs is first set aside, where it is still read. A later run removes it once it has been aside
    /// for the grace period. If the blob is needed by then, that run puts it back. So a publish loses nothing that found
    /// the blob in its place and names it in a record only after the blob was set aside. A run that is cut off in the
    /// middle loses nothing either. The clock of this machine and that of the backend must not differ by hours.
    ///
    /// # Errors
    /// The store is out of reach, or a record or a manifest of a version that exists cannot be understood: what these
    /// need cannot be known, and nothing is removed.
    pub async fn collect_garbage(&self, options: GcOptions, progress: &Progress) -> Result<GcReport, StoreError> {
        let (backend, now) = (&*self.backend, self.clock.now());
        // Listed before the records are read: a blob that is written meanwhile is not in the list, and stays.
        let (stored, aside) = (backend.blobs(BLOBS).await?, backend.blobs(UNNEEDED).await?);
        let unfinished = backend.unfinished(before(now, options.grace)).await?;
        let needed = needed(backend, before(now, options.retention), progress).await?;
        let report = Plan { stored, aside, needed, options, now }.report(&unfinished);
        if options.delete {
            progress.expect(report.garbage.len());
            carry_out(backend, &report, options, progress).await?;
            for file in unfinished {
                file.remove().await?;
            }
        }
        Ok(if options.grace.is_zero() { report.without_grace() } else { report })
    }
}

fn before(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp::from_unix(now.as_unix().saturating_sub(time.as_secs()))
}

/// What there is, and what is needed of it.
struct Plan {
    stored: Vec<Listed>,
    aside: Vec<Listed>,
    needed: HashSet<Digest>,
    options: GcOptions,
    now: Timestamp,
}

impl Plan {
    fn report(&self, unfinished: &[Unfinished]) -> GcReport {
        let (in_place, aside) = (digests(&self.stored), digests(&self.aside));
        let is_needed = |blob: &&Listed| self.needed.contains(&blob.digest);
        let (needed, unneeded): (Vec<&Listed>, Vec<&Listed>) = self.stored.iter().partition(is_needed);
        let (missed, copies): (Vec<&Listed>, Vec<&Listed>) =
            self.aside.iter().partition(|blob| is_needed(blob) && !in_place.contains(&blob.digest));
        // A blob of which a copy is aside stays until that is gone: another process may be about to remove the copy, and
        // would remove the one that is made here.
        let movable = unneeded.into_iter().filter(|blob| self.is_immediate() || !aside.contains(&blob.digest));
        let movable: Vec<_> = movable.collect();
        let moved = digests(movable.iter().copied());
        let oldest = before(self.now, self.options.grace);
        let (expired, waiting): (Vec<&Listed>, Vec<&Listed>) =
            copies.into_iter().filter(|blob| !moved.contains(&blob.digest)).partition(|blob| blob.written <= oldest);
        let fates = [(GarbageFate::SetAside, movable), (GarbageFate::Removed, expired), (GarbageFate::PutBack, missed)];
        let garbage = fates.into_iter().flat_map(|(fate, blobs)| {
            blobs.into_iter().map(move |&Listed { digest, size, written }| Garbage { digest, size, written, fate })
        });
        let garbage: BTreeMap<_, _> = garbage.map(|garbage| (garbage.digest, garbage)).collect();
        GcReport {
            deleted: self.options.delete,
            needed: needed.into_iter().map(|blob| blob.size).collect(),
            waiting: waiting.into_iter().map(|blob| blob.size).collect(),
            unfinished: unfinished.iter().map(|file| file.size).collect(),
            garbage: garbage.into_values().collect(),
        }
    }

    /// Whether blobs are removed in the run that sets them aside.
    fn is_immediate(&self) -> bool {
        self.options.grace.is_zero()
    }
}

fn digests<'a>(blobs: impl IntoIterator<Item = &'a Listed>) -> HashSet<Digest> {
    blobs.into_iter().map(|blob| blob.digest).collect()
}

async fn carry_out(
    backend: &Backend,
    report: &GcReport,
    options: GcOptions,
    progress: &Progress,
) -> Result<(), StoreError> {
    let work = stream::iter(&report.garbage).map(Ok);
    work.try_for_each_concurrent(AT_ONCE, |garbage| async move {
        match garbage.fate {
            GarbageFate::PutBack => put_back(backend, garbage.digest).await?,
            GarbageFate::SetAside => {
                set_aside(backend, garbage.digest).await?;
                if options.grace.is_zero() {
                    remove(backend, garbage.digest).await?;
                }
            }
            GarbageFate::Removed => remove(backend, garbage.digest).await?,
        }
        progress.advance();
        Ok(())
    })
    .await
}

/// Sets a blob aside. It is copied through this process, not by the backend: so it is verified, and the copy has a time of
/// its own. The copy is there before the blob is gone from its place.
async fn set_aside(backend: &Backend, digest: Digest) -> Result<(), StoreError> {
    match Blob::in_place(backend, digest).await {
        Ok(blob) => {
            backend.overwrite(&layout::unneeded(digest), blob.into_bytes()).await?;
            backend.delete(&layout::blob(digest)).await
        }
        // Another process has set it aside.
        Err(StoreError::Missing { .. }) => Ok(()),
        Err(StoreError::Corrupt { .. }) => damaged::move_aside(backend, digest).await.map(drop),
        Err(error) => Err(error),
    }
}

/// Puts a blob back to its place, and leaves the copy for a later run.
async fn put_back(backend: &Backend, digest: Digest) -> Result<(), StoreError> {
    match Blob::read_at(&layout::unneeded(digest), backend, digest).await {
        Ok(blob) => blob.write(backend).await,
        Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn remove(backend: &Backend, digest: Digest) -> Result<(), StoreError> {
    backend.delete(&layout::unneeded(digest)).await
}
