//! Why something in a registry cannot be read or written.

use std::error::Error;

use docker_credential::CredentialRetrievalError;
use nebula_local::ExitCode;
use nebula_runtime::{ByteSize, Digest};

use super::answer::RequestError;

/// Why something in a registry cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OciError {
    /// The registry cannot be reached, or does not answer.
    #[error("failed to {action} {reference}: registry {registry} does not answer")]
    Unreachable { action: &'static str, reference: String, registry: String, source: RequestError },
    /// There is no such artifact.
    #[error("failed to {action} {reference}: there is none in registry {registry}")]
    NotFound { action: &'static str, reference: String, registry: String },
    /// The registry wants other credentials.
    #[error("failed to {action} {reference}: registry {registry} refuses it; log in with: docker login {registry}")]
    Refused { action: &'static str, reference: String, registry: String, source: RequestError },
    /// The registry answers something else than was expected.
    #[error("failed to {action} {reference}: registry {registry} fails")]
    Failed { action: &'static str, reference: String, registry: String, source: RequestError },
    /// The credentials of the registry cannot be read.
    #[error("failed to read the credentials of registry {registry}, as docker login keeps them")]
    Credentials { registry: String, source: CredentialRetrievalError },
    /// The credentials of the registry are of a kind that is not supported.
    #[error(
        "the credentials of registry {registry} are an identity token, which Nebula does not know: log in with a user \
         and a password"
    )]
    IdentityToken { registry: String },
    /// The system has no certificates, or another thing that TLS needs.
    #[error("failed to set up the client of registries")]
    Client(#[source] Box<dyn Error + Send + Sync>),
    /// The artifact has no layer with WebAssembly.
    #[error("{reference} has no WebAssembly: its layers are {found}, and Nebula reads application/wasm")]
    NoWasm { reference: String, found: String },
    /// The artifact has several layers with WebAssembly.
    #[error("{reference} has {count} layers with WebAssembly, and a function is one: push each alone")]
    SeveralWasm { reference: String, count: usize },
    /// The reference is of several artifacts.
    #[error("{reference} is an index of several images; name one of them: {found}")]
    Index { reference: String, found: String },
    /// Something is pushed to a digest.
    #[error("{reference} has a digest, which follows from what is pushed: name a tag instead")]
    PushToDigest { reference: String },
    /// A layer is larger than Nebula reads.
    #[error("the {what} of {reference} is {size}, and Nebula reads at most {max}")]
    TooLarge { what: &'static str, reference: String, size: ByteSize, max: ByteSize },
    /// The bytes of a layer are not those of its descriptor.
    #[error("blob {digest} of {reference} is damaged in the registry: its bytes have another digest or size")]
    Damaged { reference: String, digest: Digest },
    /// A manifest or a configuration cannot be understood.
    #[error("the {what} of {reference} cannot be understood")]
    Malformed { what: &'static str, reference: String, source: serde_json::Error },
    /// The artifact has no configuration of Nebula's.
    #[error("{reference} has no configuration of Nebula, which --with-config takes: leave the option out")]
    NoConfig { reference: String },
    /// Signatures are required, and none of those in the registry counts.
    #[error("{reference} ({digest}) is not trusted: {why}")]
    NotTrusted { reference: String, digest: Digest, why: String },
}

impl OciError {
    /// The failure of a request.
    pub(super) fn of(action: &'static str, reference: String, registry: &str, source: RequestError) -> Self {
        let registry = registry.to_owned();
        match reason(&source) {
            Reason::NotFound => Self::NotFound { action, reference, registry },
            Reason::Refused => Self::Refused { action, reference, registry, source },
            Reason::Unreachable => Self::Unreachable { action, reference, registry, source },
            Reason::Other => Self::Failed { action, reference, registry, source },
        }
    }

    /// Whether the registry may just be away.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// The exit code for this failure.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. } => ExitCode::UNAVAILABLE,
            Self::NotFound { .. } => ExitCode::NOT_FOUND,
            Self::Refused { .. } | Self::NotTrusted { .. } => ExitCode::FORBIDDEN,
            Self::PushToDigest { .. } => ExitCode::USAGE,
            Self::Credentials { .. } | Self::IdentityToken { .. } | Self::Client(_) => ExitCode::CONFIG,
            Self::Failed { .. }
            | Self::NoWasm { .. }
            | Self::SeveralWasm { .. }
            | Self::Index { .. }
            | Self::TooLarge { .. }
            | Self::Damaged { .. }
            | Self::Malformed { .. }
            | Self::NoConfig { .. } => ExitCode::INVALID,
        }
    }
}

enum Reason {
    NotFound,
    Refused,
    Unreachable,
    Other,
}

fn reason(error: &RequestError) -> Reason {
    match error {
        // The address is none that may be asked.
        RequestError::Connection(error) if error.is_builder() => Reason::Other,
        RequestError::Connection(_) | RequestError::Stalled(_) | RequestError::Late(_) => Reason::Unreachable,
        RequestError::Status { status, .. } => match status.as_u16() {
            404 => Reason::NotFound,
            401 | 403 => Reason::Refused,
            429 | 500.. => Reason::Unreachable,
            _ => Reason::Other,
        },
        RequestError::NoToken { status, .. } if status.is_server_error() => Reason::Unreachable,
        RequestError::NoToken { .. } => Reason::Refused,
        RequestError::Challenge
        | RequestError::NotAToken
        | RequestError::NoLocation
        | RequestError::TooLarge(_)
        | RequestError::Blob(_) => Reason::Other,
    }
}
