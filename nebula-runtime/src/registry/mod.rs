//! Published functions: publishing, composing and packaging them, moving their aliases, removing and comparing
//! versions, and looking them up in the store.

#[cfg(feature = "compiler")]
mod alias;
#[cfg(feature = "compiler")]
mod binary;
#[cfg(feature = "compiler")]
mod check;
#[cfg(feature = "compiler")]
mod compose;
#[cfg(feature = "compiler")]
mod diff;
#[cfg(feature = "compiler")]
mod history;
#[cfg(feature = "compiler")]
mod lookup;
mod missing;
mod package;
#[cfg(feature = "compiler")]
mod packaging;
#[cfg(feature = "compiler")]
mod precompile;
#[cfg(feature = "compiler")]
mod publish;
#[cfg(feature = "compiler")]
mod pure;
#[cfg(feature = "compiler")]
mod remove;
#[cfg(feature = "compiler")]
mod snapshot;
#[cfg(feature = "compiler")]
mod versions;

#[cfg(feature = "compiler")]
pub(crate) use self::lookup::Registry;
pub(crate) use self::missing::{no_such_function, no_such_version};
pub use self::package::{Architecture, InvalidArchitecture, Package, PackageError, PackageSettings};
#[cfg(test)]
pub(crate) use self::package::{CODE, DESCRIPTION};
#[cfg(feature = "compiler")]
pub(crate) use self::publish::NewFunction;
#[cfg(feature = "compiler")]
pub use self::{
    alias::AliasInfo,
    diff::{Difference, Parts, Setting, Version},
    history::{HistoryChange, HistoryEntry},
    packaging::{NewPackage, PackagedFunction},
    precompile::{Precompiled, PrecompiledVersion},
    publish::Published,
    versions::VersionInfo,
};
