//! Why a command failed, and the exit code for it.

use std::{io, path::PathBuf, sync::Arc};

use nebula_admin::TokenFileError;
use nebula_azure::InvalidBindings;
use nebula_http::{BindError, TlsError};
use nebula_local::{ExitCode, LocalError, exit_code};
use nebula_runtime::{
    ByteSize, EngineError, FunctionName, InvalidFunctionRef, InvalidService, InvokeError, NotThere, PackageError,
    RegistryError, RegistryErrorKind, ServiceError, ServiceErrorKind, StoreError, StoreUrl,
    store::trust::{InvalidKey, SigningError},
};

use crate::{
    bootstrap::BootstrapError,
    build::BuildError,
    client::{MetricsError, ServerError},
    config::{ConfigError, FolderError},
    oci::OciError,
    program::ProgramError,
    sandbox::NotEntered,
    source::Source,
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line contradicts itself, or names something that is not there.
    #[error("{0}")]
    Usage(String),
    /// The user has no home folder, in which the store would be.
    #[error("there is no home folder to keep functions in: say where, with --store or NEBULA_STORE")]
    Homeless,
    /// There is no such function, but there is a file of that name.
    #[error("{failure}; there is a file of that name: ./{file}")]
    IsFile { failure: Box<Failure>, file: String },
    /// The store does not exist.
    #[error("there is no store at {0}: nebula publish NAME FILE makes one")]
    NoStore(StoreUrl),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A service of this node cannot be set up.
    #[error(transparent)]
    Service(#[from] InvalidService),
    /// This node has no such service, or the service no such key or blob.
    #[error(transparent)]
    NotThere(#[from] NotThere),
    /// The same on a server, in its own words.
    #[error("{0}")]
    NotOnServer(String),
    /// A service did not do what it was asked for.
    #[error(transparent)]
    ServiceFailed(#[from] ServiceError),
    /// The sandbox is required and cannot be entered.
    #[error("--sandbox: the server cannot run in a sandbox here")]
    Sandbox(#[source] NotEntered),
    /// A file does not exist or cannot be read.
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or a folder cannot be written.
    #[error("failed to write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The folder for temporary files is full, or cannot be written.
    #[error("failed to make a layer of the image in {} (TMPDIR names another folder)", std::env::temp_dir().display())]
    Layer(#[source] io::Error),
    /// One function could not be published from its source.
    #[error("failed to publish function {function} from {from}")]
    Publish { function: FunctionName, from: Source, source: Box<Failure> },
    /// The command that builds a function's file failed.
    #[error("failed to build function {function}")]
    Build { function: FunctionName, source: Arc<BuildError> },
    /// The bootstrap program of a package does not exist or cannot run there.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// The `nebula` program of a package does not exist or cannot run there.
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(
        "the package is {size} unzipped, and AWS Lambda takes no more than {max}; package fewer functions together"
    )]
    PackageTooLarge { size: ByteSize, max: ByteSize },
    /// The package to start from cannot be used.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Azure Functions would refuse the bindings of a function.
    #[error("function {function} has bindings that Azure Functions would refuse")]
    Bindings { function: FunctionName, source: InvalidBindings },
    /// Something in a registry cannot be read or written.
    #[error(transparent)]
    Oci(#[from] OciError),
    /// A file is no key.
    #[error("{} is no key", path.display())]
    Key { path: PathBuf, source: InvalidKey },
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// An invocation failed.
    #[error("{kind}: {0}", kind = .0.kind())]
    Invoke(#[source] InvokeError),
    /// Publishing, inspecting or listing failed.
    #[error("{kind}: {0}", kind = .0.kind())]
    Registry(#[source] RegistryError),
    /// A request to a server failed.
    #[error(transparent)]
    Server(ServerError),
    /// The metrics of a server cannot be shown.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A part of the store is damaged that says what is needed.
    #[error(
        "nothing is removed, because it cannot be known which blobs are needed: repair the store first (nebula verify)"
    )]
    UnknownNeeds(#[source] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The certificate of a listener cannot be used.
    #[error("a listener of this server has no certificate")]
    Tls(#[source] TlsError),
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    #[error(transparent)]
    Name(#[from] InvalidFunctionRef),
    #[error("failed to find the address that the server listens on")]
    Listener(#[source] io::Error),
    #[error("failed to use a socket that systemd has passed: expected a listening socket of TCP, or a Unix socket")]
    Passed(#[source] io::Error),
    #[error("failed to prepare the connection to the OpenTelemetry collector")]
    Telemetry(#[source] nebula_otel::TlsError),
    #[error("failed to handle signals")]
    Signals(#[source] io::Error),
    /// The system has no file descriptor or no thread left, and every command needs some.
    #[error("the system has too few file descriptors or threads left for this process (see ulimit -n and ulimit -u)")]
    Threads(#[source] io::Error),
    #[error("failed to use stdin or stdout")]
    Standard(#[source] io::Error),
    #[error("failed to make the path {} absolute", path.display())]
    Absolute { path: PathBuf, source: io::Error },
}

impl From<InvokeError> for Failure {
    fn from(error: InvokeError) -> Self {
        Self::Invoke(error)
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

/// What fails in the runtime of a server fails in the same way as in this process.
impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Registry(error) => Self::Registry(error),
            error => Self::Server(error),
        }
    }
}

impl Failure {
    /// The exit code for this failure: see [`ExitCode`].
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Name(_) => ExitCode::USAGE,
            Self::Homeless | Self::Config(_) | Self::Folder(_) | Self::Tls(_) | Self::Service(_) | Self::Passed(_) => {
                ExitCode::CONFIG
            }
            Self::Tokens(error) => token_exit_code(error),
            Self::NoStore(_) | Self::NotThere(_) | Self::NotOnServer(_) => ExitCode::NOT_FOUND,
            Self::ServiceFailed(error) => service_exit_code(error),
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => ExitCode::NOT_FOUND,
            Self::Read { .. } | Self::Write { .. } | Self::Layer(_) | Self::Absolute { .. } | Self::Standard(_) => {
                ExitCode::IO
            }
            Self::Publish { source, .. } => source.exit_code(),
            Self::IsFile { failure, .. } => failure.exit_code(),
            Self::Bootstrap(BootstrapError::Missing { .. })
            | Self::Program(ProgramError::NoLibrary { .. } | ProgramError::NoCertificates)
            | Self::Package(PackageError::Read { .. }) => ExitCode::NOT_FOUND,
            Self::Bootstrap(BootstrapError::Read { .. }) | Self::Program(ProgramError::Read { .. }) => ExitCode::IO,
            Self::Bootstrap(
                BootstrapError::NotElf { .. }
                | BootstrapError::OtherArchitecture { .. }
                | BootstrapError::TooNew { .. },
            )
            | Self::Program(ProgramError::Other { .. })
            | Self::Package(
                PackageError::Malformed { .. }
                | PackageError::OtherFormat { .. }
                | PackageError::OtherWasmtime { .. }
                | PackageError::OtherArchitecture { .. },
            )
            | Self::Bindings { .. }
            | Self::Build { .. }
            | Self::UnknownNeeds(_)
            | Self::PackageTooLarge { .. } => ExitCode::INVALID,
            Self::Oci(error) => error.exit_code(),
            Self::Key { .. } => ExitCode::INVALID,
            Self::Invoke(error) => exit_code(error),
            Self::Registry(error) => registry_exit_code(error.kind()),
            Self::Server(error) => server_exit_code(error),
            Self::Metrics(MetricsError::Unreachable { .. }) => ExitCode::UNAVAILABLE,
            Self::Metrics(MetricsError::NotNebula { .. } | MetricsError::Client { .. }) => ExitCode::CONFIG,
            Self::Local(error) => error.exit_code(),
            Self::Store(_)
            | Self::Package(PackageError::Store(_))
            | Self::Bind(_)
            | Self::Threads(_)
            | Self::Sandbox(_)
            | Self::Engine(EngineError::Clock(_)) => ExitCode::UNAVAILABLE,
            Self::Engine(EngineError::Wasmtime(_))
            | Self::Listener(_)
            | Self::Signals(_)
            | Self::Signing(_)
            | Self::Telemetry(_) => ExitCode::INTERNAL,
        }
    }
}

fn service_exit_code(error: &ServiceError) -> u8 {
    match error.kind() {
        ServiceErrorKind::Unavailable => ExitCode::UNAVAILABLE,
        // Denied, too large, or no number.
        _ => ExitCode::INVALID,
    }
}

fn server_exit_code(error: &ServerError) -> u8 {
    match error {
        ServerError::Registry(error) => registry_exit_code(error.kind()),
        ServerError::NoToken(_) | ServerError::InvalidToken | ServerError::Unauthorized { .. } => ExitCode::FORBIDDEN,
        ServerError::Refused { .. } => ExitCode::INVALID,
        ServerError::Unreachable { .. }
        | ServerError::Interrupted { .. }
        | ServerError::TooSlow { .. }
        | ServerError::Gateway { .. } => ExitCode::UNAVAILABLE,
        ServerError::Untrusted { .. }
        | ServerError::NotAdminApi { .. }
        | ServerError::Answer { .. }
        | ServerError::Client { .. } => ExitCode::CONFIG,
    }
}

fn token_exit_code(error: &TokenFileError) -> u8 {
    match error {
        TokenFileError::Unknown(_) => ExitCode::NOT_FOUND,
        TokenFileError::Taken(_) | TokenFileError::NoRight => ExitCode::USAGE,
        TokenFileError::File { .. } => ExitCode::IO,
        TokenFileError::Random(_) => ExitCode::INTERNAL,
        TokenFileError::Writable { .. } | TokenFileError::Owner { .. } | TokenFileError::Malformed { .. } => {
            ExitCode::CONFIG
        }
    }
}

fn registry_exit_code(kind: RegistryErrorKind) -> u8 {
    match kind {
        RegistryErrorKind::NotFound => ExitCode::NOT_FOUND,
        RegistryErrorKind::Invalid => ExitCode::INVALID,
        RegistryErrorKind::Conflict | RegistryErrorKind::Stale => ExitCode::OVERLOADED,
        RegistryErrorKind::Forbidden => ExitCode::FORBIDDEN,
        RegistryErrorKind::Unavailable => ExitCode::UNAVAILABLE,
        RegistryErrorKind::Internal => ExitCode::INTERNAL,
    }
}
