//! What is published: publishing, composing and packaging functions, and looking them up in the store.

#[cfg(feature = "compiler")]
mod binary;
#[cfg(feature = "compiler")]
mod compose;
#[cfg(feature = "compiler")]
mod lookup;
mod missing;
mod package;
#[cfg(feature = "compiler")]
mod packaging;
#[cfg(feature = "compiler")]
mod publish;

#[cfg(feature = "compiler")]
pub(crate) use self::lookup::Registry;
pub(crate) use self::missing::{no_such_function, no_such_version};
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
