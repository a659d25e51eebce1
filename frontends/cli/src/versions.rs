//! Looking up versions in a store.

use nebula_runtime::{AliasTarget, FunctionRef, RegistryError, RegistryErrorKind, Store, store::VersionEntry};

use crate::failure::Failure;

/// The number and the entry of the version that a reference means: the heaviest version of an alias.
pub(crate) async fn version_of(store: &Store, function: &FunctionRef) -> Result<(u64, VersionEntry), Failure> {
    let record = store.record(function.name()).await?.unwrap_or_default();
    let found =
        record.resolve(function.version(), AliasTarget::heaviest).map(|(number, entry)| (number, entry.clone()));
    let name = function.name();
    let detail = || format!("there is no {function}; `nebula inspect {name}` shows the versions of function {name}");
    Ok(found.ok_or_else(|| RegistryError::new(RegistryErrorKind::NotFound, detail()))?)
}
