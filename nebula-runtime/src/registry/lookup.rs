//! Looking functions up in the store, whatever this process knows of them.

use std::sync::Arc;

use super::missing::{no_such_function, no_such_version};
use crate::{
    function::{AliasTarget, FunctionInfo, FunctionRef, RegistryError},
    guest::Loader,
    store::Store,
};

/// The functions of a store, for all that changes them. It keeps nothing of what it reads: a change that is decided by memory
/// would undo what another process has written.
pub(crate) struct Registry {
    pub(super) store: Store,
    pub(super) loader: Arc<Loader>,
}

impl Registry {
    pub(crate) fn new(store: Store, loader: Arc<Loader>) -> Self {
        Self { store, loader }
    }

    /// What the store says of the version that `reference` means.
    pub(super) async fn stored(&self, reference: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
        let name = reference.name();
        let record = self.store.record(name).await?.ok_or_else(|| no_such_function(name))?;
        let (number, entry) =
            record.resolve(reference.version(), AliasTarget::heaviest).ok_or_else(|| no_such_version(reference))?;
        let manifest = self.store.manifest(&entry.manifest).await?;
        Ok(manifest.info(name, number, &record))
    }
}
