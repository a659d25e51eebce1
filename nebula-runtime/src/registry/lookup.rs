//! Looking functions up in the store, whatever this process knows of them.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::missing::{no_such_function, no_such_version};
use crate::{
    function::{AliasTarget, FunctionInfo, FunctionName, FunctionRef, RegistryError},
    guest::Loader,
    host::Services,
    store::{
        FunctionRecord, Revised, Store, Terms, VersionEntry,
        trust::{Candidate, Trust},
    },
};

/// The functions of a store, for all that changes them. It keeps nothing of what it reads: a change that is decided by memory
/// would undo what another process has written.
#[derive(Clone)]
pub(crate) struct Registry {
    pub(super) store: Store,
    pub(super) trust: Trust,
    pub(super) loader: Arc<Loader>,
    /// The services of this node, with which versions are tried out.
    pub(super) services: Services,
    /// Places for instances that are made to see whether a version runs.
    pub(super) trials: Arc<Semaphore>,
    /// Places for commands that are initialised for their snapshots.
    pub(super) initialisers: Arc<Semaphore>,
}

/// Instances of trials at once, and of initialisers: the engine's pool has room for so many beside the invocations.
const TRIALS: usize = 1;

impl Registry {
    pub(crate) fn new(store: Store, trust: Trust, loader: Arc<Loader>, services: Services) -> Self {
        let [trials, initialisers] = [(); 2].map(|()| Arc::new(Semaphore::new(TRIALS)));
        Self { store, trust, loader, services, trials, initialisers }
    }

    /// The same registry, for one change that is made under `terms`.
    pub(crate) fn under(&self, terms: &Terms) -> Self {
        Self { store: self.store.under(terms), ..self.clone() }
    }

    pub(super) async fn record(&self, name: &FunctionName) -> Result<FunctionRecord, RegistryError> {
        self.store.record(name).await?.ok_or_else(|| no_such_function(name))
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Refuses a version that is not trusted.
    pub(super) async fn require_trust(
        &self,
        name: &FunctionName,
        number: u64,
        entry: &VersionEntry,
    ) -> Result<(), RegistryError> {
        self.trust.check(&self.store, &Candidate::of(name, number, entry)).await
    }

    /// What the store says of the version that `reference` means.
    pub(super) async fn stored(&self, reference: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
        Ok(self.stored_revised(reference).await?.value)
    }

    /// What the store says of the version that `reference` means, and the revision of its function.
    pub(crate) async fn stored_revised(&self, reference: &FunctionRef) -> Result<Revised<FunctionInfo>, RegistryError> {
        let name = reference.name();
        let read = self.store.revised_record(name).await?.ok_or_else(|| no_such_function(name))?;
        let Revised { value: record, revision } = read;
        let (number, entry) =
            record.resolve(reference.version(), AliasTarget::heaviest).ok_or_else(|| no_such_version(reference))?;
        let manifest = self.store.manifest(&entry.manifest).await?;
        Ok(Revised { value: manifest.info(name, number, &record), revision })
    }
}
