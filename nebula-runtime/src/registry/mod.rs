//! What is published: publishing, composing and packaging functions, and looking them up in the store.

#[cfg(feature = "compiler")]
mod binary;
#[cfg(feature = "compiler")]
mod compose;
mod lookup;
mod package;
#[cfg(feature = "compiler")]
mod packaging;
#[cfg(feature = "compiler")]
mod publish;

pub(crate) use self::lookup::{Registry, no_such_function, no_such_version};
pub use self::package::{Architecture, InvalidArchitecture, Package, PackageError};
#[cfg(test)]
pub(crate) use self::package::{CODE, DESCRIPTION};
#[cfg(feature = "compiler")]
pub(crate) use self::publish::NewFunction;
#[cfg(feature = "compiler")]
pub use self::{
    packaging::{NewPackage, PackagedFunction},
    publish::Published,
};
