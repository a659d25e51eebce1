//! Looking functions up in the store, whatever this process knows of them.

use std::sync::Arc;

use crate::{
    function::{FunctionInfo, FunctionName, FunctionRef, RegistryError, RegistryErrorKind, VersionRef},
    guest::Loader,
    store::{AliasTarget, Store},
};

/// The functions of a store, for all that changes them. It keeps nothing of what it reads: a change that is decided by memory
/// would undo what another process has written.
#[cfg_attr(not(feature = "compiler"), expect(dead_code, reason = "nothing is published without a compiler"))]
pub(crate) struct Registry {
    pub(super) store: Store,
    pub(super) loader: Arc<Loader>,
}

impl Registry {
    pub(crate) fn new(store: Store, loader: Arc<Loader>) -> Self {
        Self { store, loader }
    }

    /// What the store says of the version that `reference` means.
    #[cfg(feature = "compiler")]
    pub(super) async fn stored(&self, reference: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
        let name = reference.name();
        let record = self.store.record(name).await?.ok_or_else(|| no_such_function(name))?;
        let (number, entry) =
            record.resolve(reference.version(), AliasTarget::heaviest).ok_or_else(|| no_such_version(reference))?;
        let manifest = self.store.manifest(&entry.manifest).await?;
        Ok(manifest.info(name, number, record.aliases_of(number)))
    }
}

pub(crate) fn no_such_function(name: &FunctionName) -> RegistryError {
    not_found(format!("there is no function {name}; `nebula list` shows those there are"))
}

pub(crate) fn no_such_version(reference: &FunctionRef) -> RegistryError {
    let (name, version) = (reference.name(), reference.version());
    not_found(match version {
        VersionRef::Latest => format!("function {name} has no version"),
        VersionRef::Number(_) => format!("function {name} has no version {version}"),
        VersionRef::Alias(_) => format!("function {name} has no alias {version}"),
        VersionRef::Digest(_) => format!("function {name} has no version with the digest {version}"),
    })
}

fn not_found(detail: String) -> RegistryError {
    RegistryError::new(RegistryErrorKind::NotFound, detail)
}
