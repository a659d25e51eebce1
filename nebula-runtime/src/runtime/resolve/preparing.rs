//! Versions that are made ready before calls move to them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use super::{
    super::code::Code,
    function::Function,
    held::Unready,
    reading::{Reader, stopped},
};
use crate::{
    call::{ErrorKind, InvokeError},
    function::{Digest, FunctionName},
    store::{FunctionRecord, flight::SingleFlight, trust::Candidate},
    sync::lock,
};

/// How long the reading of a function waits for the code of its new versions. Earlier versions are served meanwhile,
/// and the code is loaded to its end. With the reading itself, it is less than [`PATIENCE`](super::reading::PATIENCE).
const PREPARING: Duration = Duration::from_millis(700);

/// Makes versions ready. All callers that ask for one version at the same time share the work.
pub(super) struct Preparations {
    versions: Arc<Versions>,
    under_way: SingleFlight<Key, Result<(), NotReady>>,
}

struct Versions {
    reader: Reader,
    code: Code,
    /// The failures that nobody waited for any more.
    missed: Mutex<BTreeMap<Key, NotReady>>,
}

/// A version of a function: by its manifest.
type Key = (FunctionName, Digest);

/// Why a version is not ready.
#[derive(Clone)]
enum NotReady {
    /// The store does not answer, which says nothing about the version.
    Store(Arc<InvokeError>),
    /// The version cannot be served here.
    Version(Arc<InvokeError>),
}

impl NotReady {
    fn of_reading(error: InvokeError) -> Self {
        let is_store = error.kind() == ErrorKind::Unavailable;
        if is_store { Self::Store(Arc::new(error)) } else { Self::Version(Arc::new(error)) }
    }
}

impl Preparations {
    pub(super) fn new(reader: Reader, code: Code) -> Self {
        let versions = Arc::new(Versions { reader, code, missed: Mutex::default() });
        Self { versions, under_way: SingleFlight::new() }
    }

    /// Makes ready what the callers of `known` will mean once its record is `record`, and returns the versions that are
    /// not ready.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) async fn prepare(
        &self,
        name: &FunctionName,
        known: &Arc<Function>,
        record: &FunctionRecord,
    ) -> Result<Unready, InvokeError> {
        let (mut unready, deadline) = (Unready::new(), Instant::now() + PREPARING);
        for (version, manifest) in known.successors(record) {
            let candidate = Candidate::in_record(record, name, version, manifest);
            match timeout_at(deadline, self.one(known, candidate)).await {
                Ok(Ok(())) => {}
                Ok(Err(NotReady::Version(error))) => drop(unready.insert(version, Some(error))),
                Ok(Err(NotReady::Store(error))) => return Err(InvokeError::shared(error)),
                Err(_) => drop(unready.insert(version, None)),
            }
        }
        Ok(unready)
    }

    /// Waits until a version is ready. The work goes on when the caller has left, and the next caller is told its
    /// failure.
    async fn one(&self, known: &Arc<Function>, version: Candidate) -> Result<(), NotReady> {
        let (versions, known) = (Arc::clone(&self.versions), Arc::clone(known));
        let key = (version.name.clone(), version.manifest);
        let missed = || lock(&self.versions.missed).remove(&key);
        let work = {
            let key = key.clone();
            async move {
                let prepared = versions.prepare(&known, version).await;
                if let Err(failure) = &prepared {
                    lock(&versions.missed).insert(key, failure.clone());
                }
                prepared
            }
        };
        let prepared = self.under_way.start(&key, || missed().map(Err), work).await;
        drop(missed());
        prepared.unwrap_or_else(|ended| Err(NotReady::Store(Arc::new(stopped(ended)))))
    }
}

impl Versions {
    /// Makes a version ready: reads it, loads its code, and looks for all that it is granted.
    async fn prepare(&self, known: &Function, version: Candidate) -> Result<(), NotReady> {
        let deployment = match known.deployed(version.number, &version.manifest) {
            Some(deployment) => deployment,
            None => Arc::new(self.reader.deployment(version).await.map_err(NotReady::of_reading)?),
        };
        self.code.guest(&deployment).await.map_err(NotReady::of_reading)?;
        deployment.granted.check().map_err(|error| NotReady::Version(Arc::new(error)))?;
        known.deploy(deployment);
        Ok(())
    }
}
