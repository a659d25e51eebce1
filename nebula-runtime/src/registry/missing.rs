//! The errors of functions and versions that are not in the store.

#[cfg(feature = "compiler")]
use crate::function::AliasName;
use crate::function::{FunctionName, FunctionRef, RegistryError, RegistryErrorKind, VersionRef};

pub(crate) fn no_such_function(name: &FunctionName) -> RegistryError {
    not_found(format!("there is no function {name}; `nebula list` shows those there are"))
}

pub(crate) fn no_such_version(reference: &FunctionRef) -> RegistryError {
    let (name, version) = (reference.name(), reference.version());
    not_found(match version {
        VersionRef::Latest => {
            format!(
                "function {name} has no version: all are removed, as `nebula history {name}` shows; publish it again"
            )
        }
        VersionRef::Number(_) => format!("function {name} has no version {version}"),
        VersionRef::Alias(_) => format!("function {name} has no alias {version}"),
        VersionRef::Digest(_) => format!("function {name} has no version with the digest {version}"),
    })
}

/// There is no such alias of a function.
#[cfg(feature = "compiler")]
pub(super) fn no_such_alias(name: &FunctionName, alias: &AliasName) -> RegistryError {
    not_found(format!("function {name} has no alias {alias}; `nebula alias {name}` shows those there are"))
}

fn not_found(detail: String) -> RegistryError {
    RegistryError::new(RegistryErrorKind::NotFound, detail)
}
