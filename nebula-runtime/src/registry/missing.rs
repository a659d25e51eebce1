//! The errors of functions and versions that are not in the store.

use crate::function::{FunctionName, FunctionRef, RegistryError, RegistryErrorKind, VersionRef};

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
