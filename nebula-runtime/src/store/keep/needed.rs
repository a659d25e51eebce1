//! Which blobs are needed.

use std::collections::{BTreeSet, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    super::{
        backend::Backend,
        error::StoreError,
        functions,
        manifest::{self, VersionDigests},
        record::FunctionRecord,
    },
    AT_ONCE,
    progress::Progress,
};
use crate::function::{Digest, Timestamp};

/// The blobs of these versions, from which all other blobs that are needed are found. Whatever else is to keep a blob in
/// the store is one more root.
#[derive(Debug, Default)]
struct Roots {
    /// The manifests of versions that exist. A manifest that cannot be read is an error: what it names is not known.
    manifests: BTreeSet<Digest>,
    /// The manifests of versions that were removed not long ago. Some of these may be gone.
    removed: BTreeSet<Digest>,
    /// Blobs of records that name no others: modules and signatures.
    leaves: BTreeSet<Digest>,
}

impl Roots {
    /// Adds the versions of a function, and those that were removed since `since`. What an alias pointed to is among
    /// them: a version that is named in a history entry was removed later than that, if at all.
    fn add(&mut self, record: &FunctionRecord, since: Timestamp) {
        for (_, entry) in record.versions() {
            self.manifests.insert(entry.manifest);
            self.leaves.extend(entry.leaves());
        }
        for (_, removed) in record.removed().filter(|(_, removed)| removed.at > since) {
            self.removed.insert(removed.version.manifest);
            self.leaves.extend(removed.version.leaves());
        }
    }
}

/// The digests of all blobs that are needed by versions that exist or were removed after `since`.
///
/// # Errors
/// A record cannot be understood, or the manifest of a version that exists: what these need cannot be known.
pub(super) async fn needed(
    backend: &Backend,
    since: Timestamp,
    progress: &Progress,
) -> Result<HashSet<Digest>, StoreError> {
    let roots = roots(backend, since, progress).await?;
    let Roots { manifests, removed, leaves } = &roots;
    progress.expect(manifests.len() + removed.len());
    let kept = manifests.iter().map(|digest| (*digest, false));
    let no_longer = removed.difference(manifests).map(|digest| (*digest, true));
    let named = stream::iter(kept.chain(no_longer)).map(|(digest, may_be_gone)| async move {
        let named = named(backend, digest, may_be_gone).await;
        progress.advance();
        named
    });
    let named: Vec<_> = named.buffer_unordered(AT_ONCE).try_collect().await?;
    let roots = manifests.iter().chain(removed).chain(leaves).copied();
    Ok(roots.chain(named.into_iter().flatten()).collect())
}

async fn roots(backend: &Backend, since: Timestamp, progress: &Progress) -> Result<Roots, StoreError> {
    let names = functions::names(backend).await?;
    progress.expect(names.len());
    let records = stream::iter(&names).map(|name| async move {
        let record = functions::read(backend, name).await;
        progress.advance();
        record
    });
    let mut records = records.buffer_unordered(AT_ONCE);
    let mut roots = Roots::default();
    while let Some(record) = records.try_next().await? {
        record.iter().for_each(|record| roots.add(record, since));
    }
    Ok(roots)
}

/// The blobs that a manifest names: its configuration, and the image of a snapshot if it has one. Its module is in the
/// record, too.
async fn named(backend: &Backend, digest: Digest, may_be_gone: bool) -> Result<Vec<Digest>, StoreError> {
    match manifest::blobs_of(backend, digest).await {
        Ok(VersionDigests { config, snapshot, .. }) => Ok(std::iter::once(config).chain(snapshot).collect()),
        Err(StoreError::Missing { .. } | StoreError::Corrupt { .. } | StoreError::Malformed { .. }) if may_be_gone => {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}
