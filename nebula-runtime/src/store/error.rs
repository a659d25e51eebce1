//! Why a store failed.

use std::{error::Error, fmt, io, path::PathBuf};

use crate::function::{AliasName, Digest, FunctionName};

/// Why a store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The backend does not answer, or refuses.
    #[error("failed to {action} {object} in store {store}")]
    Unavailable {
        /// What was tried: `read`, `write`, `list`.
        action: &'static str,
        /// The object's path in the store.
        object: String,
        /// The store: its URL, or the name that its backend gives itself.
        store: String,
        /// What the backend answered.
        source: BackendError,
    },
    /// A local store's folder cannot be used.
    #[error("failed to {action} {}", path.display())]
    Folder {
        /// What was tried: `create the folder`, `lock`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// There is no store at this place: the folder is missing, or empty as an unmounted disk leaves it.
    #[error("there is no store at {store}: its nebula-store.json is missing")]
    Gone {
        /// The store.
        store: String,
    },
    /// The backend does not keep writers from undoing each other's work; see [`Store::over`](super::Store::over).
    #[error(
        "store {store} cannot be shared by writers: its backend must create an object only where there is none, and \
         replace one only where it is unchanged (PutMode::Create and PutMode::Update of object_store)"
    )]
    NoCompareAndSwap {
        /// The store.
        store: String,
    },
    /// The store was written by a newer Nebula.
    #[error(
        "{object} in store {store} has format {found} and this Nebula knows formats up to {supported}; \
         use a newer Nebula, or another store"
    )]
    NewerFormat {
        /// The object's path in the store.
        object: String,
        /// The store.
        store: String,
        /// The format that the object says it has.
        found: u64,
        /// The newest format that this build reads.
        supported: u64,
    },
    /// A blob that a record or a manifest refers to is missing.
    #[error("blob {digest} is missing from store {store}; publish the function again to restore it")]
    Missing {
        /// The blob's name.
        digest: Digest,
        /// The store.
        store: String,
    },
    /// A blob's bytes do not have the digest that names it.
    #[error(
        "blob {digest} in store {store} is corrupt: its bytes have the digest {found}; publish the function again to restore it"
    )]
    Corrupt {
        /// The blob's name.
        digest: Digest,
        /// The digest of its bytes.
        found: Digest,
        /// The store.
        store: String,
    },
    /// A record, a manifest or a configuration cannot be understood.
    #[error("{object} in store {store} cannot be understood")]
    Malformed {
        /// The object's path in the store.
        object: String,
        /// The store.
        store: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A version's configuration cannot be written as JSON.
    #[error("failed to write the configuration of function {function} as JSON")]
    Unwritable {
        /// The function.
        function: FunctionName,
        /// The reason.
        source: serde_json::Error,
    },
    /// An alias was to point to something that does not exist.
    #[error("function {function} has no version {version}, so alias {alias} cannot point to it")]
    NoVersion {
        /// The function.
        function: FunctionName,
        /// The version's number.
        version: u64,
        /// The alias.
        alias: AliasName,
    },
    /// Others changed a function's record each time this writer tried to.
    #[error(
        "failed to change function {function} in store {store}: others changed it {attempts} times meanwhile; try again"
    )]
    Contended {
        /// The function.
        function: FunctionName,
        /// The store.
        store: String,
        /// How often it was tried.
        attempts: u32,
    },
}

/// The error of a store's backend. Its message includes those of its causes.
pub struct BackendError(Box<object_store::Error>);

impl From<object_store::Error> for BackendError {
    fn from(error: object_store::Error) -> Self {
        Self(Box::new(error))
    }
}

impl BackendError {
    /// Whether the backend has no such operation.
    pub(super) fn is_not_implemented(&self) -> bool {
        matches!(*self.0, object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. })
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            // Its own message only puts "Generic LocalFileSystem error" in front.
            object_store::Error::Generic { source, .. } => source.fmt(f),
            error => error.fmt(f),
        }
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// It has no source: its message includes its causes, and a chain would say everything twice.
impl Error for BackendError {}
