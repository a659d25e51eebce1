//! Hashing everything that versions need again.

use std::{collections::BTreeMap, error::Error as _, slice};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use serde::Serialize;

use super::{
    super::{
        backend::Backend,
        blob::Blob,
        error::StoreError,
        functions,
        handle::Store,
        manifest::Manifest,
        record::{FunctionRecord, VersionEntry},
    },
    AT_ONCE, damaged,
    progress::Progress,
};
use crate::function::{Digest, FunctionName};

/// What [`Store::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// How many functions were verified.
    pub functions: u64,
    /// How many versions these have. Those that were removed are verified as well, as far as their blobs are still there.
    pub versions: u64,
    /// How many blobs were hashed.
    pub blobs: u64,
    /// The size of the modules among them, in bytes, and of the images of snapshots.
    pub module_bytes: u64,
    /// All that is wrong, in the order of functions and versions.
    pub problems: Vec<StoreProblem>,
}

/// Something that is wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct StoreProblem {
    /// The function.
    pub function: FunctionName,
    /// The version. `None` where all versions are concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// What kind of problem it is.
    pub kind: StoreProblemKind,
    /// What is wrong, and what to do.
    pub detail: String,
    /// Where in the store a corrupt blob was moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
}

/// A kind of problem in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StoreProblemKind {
    /// The function's record cannot be understood.
    Record,
    /// A blob is missing.
    Missing,
    /// A blob's bytes are not those that were published.
    Corrupt,
    /// A manifest or a configuration cannot be understood, or the record names another module than the manifest.
    Manifest,
}

impl Store {
    /// Hashes every blob that the versions of these functions need, those of all functions where none is named, and
    /// tells what is wrong. Corrupt blobs are moved to a folder of their own, where nothing reads them, if the store can
    /// be written to. Publishing the same version again repairs it.
    ///
    /// The blobs of removed versions are verified as far as they are still there.
    ///
    /// # Errors
    /// [`StoreError::NotPublished`] where there is no such function, and the store is out of reach. What is wrong with
    /// the functions is no error.
    pub async fn verify(&self, functions: &[FunctionName], progress: &Progress) -> Result<Verification, StoreError> {
        let backend = &*self.backend;
        let names = match functions {
            [] => functions::names(backend).await?,
            named => named.to_vec(),
        };
        let mut found = Found { verification: Verification::default(), versions: Vec::new() };
        for (name, record) in records(backend, names).await? {
            match record {
                Ok(Some(record)) => found.add(&name, &record),
                Ok(None) if functions.is_empty() => {}
                Ok(None) => return Err(StoreError::NotPublished { function: name, version: None }),
                Err(error) => found.record_problem(name, &error),
            }
        }
        let Found { mut verification, versions } = found;
        let documents = by(&versions, |version| slice::from_ref(&version.entry.manifest));
        let modules = by(&versions, |version| slice::from_ref(&version.entry.module));
        let signatures = by(&versions, |version| &version.entry.signatures);
        progress.expect(documents.len() + modules.len() + signatures.len());
        let documents_checked = check(backend, &documents, Check::Documents, progress).await?;
        let images = images(&documents, &documents_checked);
        progress.expect(images.len());
        verification.add(documents_checked);
        verification.add(check(backend, &modules, Check::Module, progress).await?);
        verification.add(check(backend, &images, Check::Module, progress).await?);
        verification.add(check(backend, &signatures, Check::Signature, progress).await?);
        verification.problems.sort_unstable();
        Ok(verification)
    }
}

type ReadRecord = (FunctionName, Result<Option<FunctionRecord>, StoreError>);

/// The records of these functions, also those that cannot be understood.
async fn records(backend: &Backend, names: Vec<FunctionName>) -> Result<Vec<ReadRecord>, StoreError> {
    let records = stream::iter(names).map(|name| async move {
        let record = functions::read(backend, &name).await;
        match record {
            Err(error) if !is_damage(&error) => Err(error),
            record => Ok((name, record)),
        }
    });
    records.buffered(AT_ONCE).try_collect().await
}

/// Whether an error says what is in the store, and not that the store cannot be read.
fn is_damage(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Missing { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Malformed { .. }
            | StoreError::NewerFormat { .. }
    )
}

/// What is found in the records.
struct Found {
    verification: Verification,
    versions: Vec<Version>,
}

/// A version whose blobs are to be there.
struct Version {
    function: FunctionName,
    number: u64,
    entry: VersionEntry,
    /// Its blobs may be gone.
    is_removed: bool,
}

impl Found {
    fn add(&mut self, function: &FunctionName, record: &FunctionRecord) {
        let version = |number, entry: &VersionEntry, is_removed| Version {
            function: function.clone(),
            number,
            entry: entry.clone(),
            is_removed,
        };
        self.versions.extend(record.versions().map(|(number, entry)| version(number, entry, false)));
        self.versions.extend(record.removed().map(|(number, removed)| version(number, &removed.version, true)));
        self.verification.functions += 1;
        self.verification.versions += record.versions().count() as u64;
    }

    fn record_problem(&mut self, function: FunctionName, error: &StoreError) {
        let advice = match error {
            StoreError::NewerFormat { .. } => "",
            _ => "; publish the function again: that begins a new record and keeps the damaged one beside it",
        };
        let detail = explained(error) + advice;
        self.verification.functions += 1;
        let kind = StoreProblemKind::Record;
        self.verification.problems.push(StoreProblem { function, version: None, kind, detail, moved_to: None });
    }
}

/// The versions that share a blob, by its digest.
type Shared<'a> = BTreeMap<Digest, Vec<&'a Version>>;

fn by(versions: &[Version], blobs: impl Fn(&Version) -> &[Digest]) -> Shared<'_> {
    let mut shared = Shared::new();
    for version in versions {
        for digest in blobs(version) {
            shared.entry(*digest).or_default().push(version);
        }
    }
    shared
}

/// The images of snapshots, which only manifests name.
fn images<'a>(documents: &Shared<'a>, checked: &[Checked]) -> Shared<'a> {
    let mut images = Shared::new();
    for Snapshot { manifest, image } in checked.iter().filter_map(|checked| checked.snapshot) {
        images.entry(image).or_default().extend(documents.get(&manifest).into_iter().flatten());
    }
    images
}

/// What is checked of each version.
#[derive(Clone, Copy)]
enum Check {
    /// Its manifest and its configuration.
    Documents,
    /// Its module, or the image of its snapshot.
    Module,
    /// One of its signatures: only that its bytes are those that were signed. By which key is another matter.
    Signature,
}

/// What the check of a blob gave.
#[derive(Default)]
struct Checked {
    blobs: u64,
    module_bytes: u64,
    problems: Vec<StoreProblem>,
    snapshot: Option<Snapshot>,
}

/// The image of a snapshot, and the manifest that names it.
#[derive(Clone, Copy)]
struct Snapshot {
    manifest: Digest,
    image: Digest,
}

impl Verification {
    fn add(&mut self, checked: Vec<Checked>) {
        for Checked { blobs, module_bytes, problems, .. } in checked {
            self.blobs += blobs;
            self.module_bytes += module_bytes;
            self.problems.extend(problems);
        }
    }
}

async fn check(
    backend: &Backend,
    shared: &Shared<'_>,
    what: Check,
    progress: &Progress,
) -> Result<Vec<Checked>, StoreError> {
    let checks = stream::iter(shared).map(|(digest, versions)| async move {
        let checked = match what {
            Check::Documents => check_documents(backend, *digest, versions).await,
            Check::Module => check_module(backend, *digest, versions).await,
            Check::Signature => check_signature(backend, *digest, versions).await,
        };
        progress.advance();
        checked
    });
    checks.buffer_unordered(AT_ONCE).try_collect().await
}

async fn check_documents(backend: &Backend, digest: Digest, versions: &[&Version]) -> Result<Checked, StoreError> {
    match Manifest::read(backend, digest).await {
        Ok(manifest) => {
            let others = versions.iter().filter(|version| version.entry.module != manifest.module);
            let problems = others.map(|version| version.mismatch(&manifest)).collect();
            let snapshot = manifest.snapshot.map(|image| Snapshot { manifest: digest, image: image.digest });
            Ok(Checked { blobs: 2, problems, snapshot, ..Checked::default() })
        }
        Err(error) => damage(backend, error, versions).await,
    }
}

async fn check_module(backend: &Backend, digest: Digest, versions: &[&Version]) -> Result<Checked, StoreError> {
    match Blob::read(backend, digest).await {
        Ok(module) => Ok(Checked { blobs: 1, module_bytes: module.bytes().len() as u64, ..Checked::default() }),
        Err(error) => damage(backend, error, versions).await,
    }
}

async fn check_signature(backend: &Backend, digest: Digest, versions: &[&Version]) -> Result<Checked, StoreError> {
    match Blob::read(backend, digest).await {
        Ok(_) => Ok(Checked { blobs: 1, ..Checked::default() }),
        Err(error) => {
            let mut checked = damage(backend, error, versions).await?;
            checked.problems.iter_mut().for_each(|problem| problem.detail += ", and sign it again");
            Ok(checked)
        }
    }
}

/// The problem that each version has, and the corrupt blob moved aside.
async fn damage(backend: &Backend, error: StoreError, versions: &[&Version]) -> Result<Checked, StoreError> {
    let (kind, moved_to) = match &error {
        StoreError::Missing { .. } => (StoreProblemKind::Missing, None),
        StoreError::Corrupt { digest, .. } => (StoreProblemKind::Corrupt, move_aside(backend, *digest).await),
        error if is_damage(error) => (StoreProblemKind::Manifest, None),
        _ => return Err(error),
    };
    let concerned = versions.iter().filter(|version| !(version.is_removed && kind == StoreProblemKind::Missing));
    let problems = concerned.map(|version| version.problem(kind, explained(&error), moved_to.as_ref())).collect();
    let blobs = u64::from(kind != StoreProblemKind::Missing);
    Ok(Checked { blobs, problems, ..Checked::default() })
}

/// Where a corrupt blob was moved to. It stays where it is if the store cannot be written to.
async fn move_aside(backend: &Backend, digest: Digest) -> Option<Path> {
    damaged::move_aside(backend, digest).await.unwrap_or_else(|error| {
        tracing::warn!(%digest, error = explained(&error), "a corrupt blob could not be moved aside");
        None
    })
}

impl Version {
    fn mismatch(&self, manifest: &Manifest) -> StoreProblem {
        let detail = format!(
            "the record names module {}, and its manifest {} names module {}; publish the version again and remove this one",
            self.entry.module, self.entry.manifest, manifest.module
        );
        self.problem(StoreProblemKind::Manifest, detail, None)
    }

    fn problem(&self, kind: StoreProblemKind, detail: String, moved_to: Option<&Path>) -> StoreProblem {
        let (function, moved_to) = (self.function.clone(), moved_to.map(ToString::to_string));
        StoreProblem { function, version: Some(self.number), kind, detail, moved_to }
    }
}

/// An error with its cause.
fn explained(error: &StoreError) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
