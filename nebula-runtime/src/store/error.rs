//! Why a store failed.

use std::{error::Error, fmt, io, path::PathBuf};

use super::{record::MAX_NUMBER, shared::Service};
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
    /// A blob that a record names as a signature is none.
    #[error("blob {digest} is no signature: {reason}")]
    NoSignature {
        /// The blob's name.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
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
    /// The service says that an object is there, and does not have it.
    #[error(
        "failed to write {object} in store {store}: the service says that it is there, and does not have it; try again"
    )]
    NeitherWrittenNorThere {
        /// The object's path in the store.
        object: String,
        /// The store.
        store: String,
    },
    /// All numbers of versions were used.
    #[error(
        "function {function} has had version {MAX_NUMBER}, and no version can come after it; publish it under another name"
    )]
    NoNumber {
        /// The function.
        function: FunctionName,
    },
    /// There never was such an alias.
    #[error("function {function} has no alias {alias}; `nebula alias {function}` shows those it has")]
    NoAlias {
        /// The function.
        function: FunctionName,
        /// The alias.
        alias: AliasName,
    },
    /// What was to be removed does not exist.
    #[error("{}", not_published(function, *version))]
    NotPublished {
        /// The function.
        function: FunctionName,
        /// The version's number; `None` where the function has no version at all.
        version: Option<u64>,
    },
    /// A version cannot be removed, because aliases point to it.
    #[error(
        "{} because of {}: move the aliases first (nebula alias {function} ALIAS VERSION), or take it from them (--force)",
        not_removed(function, *version), listed(aliases)
    )]
    PointedTo {
        /// The function.
        function: FunctionName,
        /// The version's number; `None` where all versions were to be removed.
        version: Option<u64>,
        /// The aliases that point to it.
        aliases: Vec<AliasName>,
    },
    /// The function is not as the change requires it.
    #[error("function {function} was changed meanwhile; look at it again, and then change it")]
    Stale {
        /// The function.
        function: FunctionName,
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

fn not_published(function: &FunctionName, version: Option<u64>) -> String {
    match version {
        Some(version) => {
            format!("function {function} has no version {version}; `nebula inspect {function}` shows the versions")
        }
        None => format!("there is no function {function}; `nebula list` shows the functions"),
    }
}

fn not_removed(function: &FunctionName, version: Option<u64>) -> String {
    match version {
        Some(version) => format!("version {version} of function {function} is not removed"),
        None => format!("function {function} is not removed"),
    }
}

fn listed(aliases: &[AliasName]) -> String {
    let names: Vec<_> = aliases.iter().map(AliasName::as_str).collect();
    match names.as_slice() {
        [only] => format!("the alias {only}, which points to it"),
        several => format!("the aliases {}, which point to it", several.join(", ")),
    }
}

/// The error of a store's backend. Its message includes those of its causes, and says what to do where a service of a
/// shared store fails.
pub struct BackendError {
    error: Box<object_store::Error>,
    service: Option<Service>,
    /// Whether the client of the service could not be made: nothing was sent.
    before_requests: bool,
}

impl BackendError {
    /// An error of a service, or of another backend.
    pub(super) fn of(error: object_store::Error, service: Option<Service>) -> Self {
        Self { error: Box::new(error), service, before_requests: false }
    }

    /// An error in what the client of a service is made of.
    pub(super) fn before_requests(error: object_store::Error, service: Service) -> Self {
        Self { error: Box::new(error), service: Some(service), before_requests: true }
    }

    /// Whether the backend has no such operation.
    pub(super) fn is_not_implemented(&self) -> bool {
        matches!(*self.error, object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. })
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.error, self.service) {
            (error, Some(service)) if self.before_requests => {
                let reason = obstacle(error);
                write!(f, "{reason}; {}", service.advice_on_variables(&reason))
            }
            (error, Some(service)) => {
                let reason = reason(error);
                write!(f, "{reason}; {}", service.advice(error))
            }
            // Its own message only puts "Generic LocalFileSystem error" in front.
            (object_store::Error::Generic { source, .. }, None) => source.fmt(f),
            (error, None) => error.fmt(f),
        }
    }
}

/// The reason in an error of a service: the innermost cause, because the outer ones count tries. Of an answer in XML it is
/// the code and the first line of the message, because the other lines are for the people of the service.
fn reason(error: &(dyn Error + 'static)) -> String {
    let told = innermost(error);
    let part = |name: &str| Some(told.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>"))?.0);
    let first_line = |text: &str| text.lines().next().unwrap_or_default().trim_end_matches([' ', ':', '.']).to_owned();
    match (part("Code"), part("Message")) {
        (Some(code), Some(message)) => format!("{code}: {}", first_line(message)),
        _ => told.lines().next().unwrap_or_default().trim_end_matches([' ', ':']).to_owned(),
    }
}

/// Why the client of a service cannot be made. An outer message names the file, or the variable.
fn obstacle(error: &object_store::Error) -> String {
    let innermost = innermost(error);
    let outer = error.source().map(ToString::to_string).filter(|outer| outer.contains(&innermost));
    outer.unwrap_or(innermost).trim_end_matches('.').to_owned()
}

fn innermost(mut error: &(dyn Error + 'static)) -> String {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// It has no source: its message includes its causes, and a chain would say everything twice.
impl Error for BackendError {}
