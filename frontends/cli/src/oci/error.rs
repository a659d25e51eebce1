//! Why something in a registry cannot be read or written.

use std::{error::Error, time::Duration};

use docker_credential::CredentialRetrievalError;
use nebula_local::ExitCode;
use nebula_runtime::{ByteSize, Digest};
use oci_client::errors::{OciDistributionError, OciErrorCode};

/// Why something in a registry cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OciError {
    /// The registry cannot be reached, or does not answer.
    #[error("failed to {action} {reference}: registry {registry} does not answer")]
    Unreachable { action: &'static str, reference: String, registry: String, source: Box<dyn Error + Send + Sync> },
    /// There is no such artifact.
    #[error("failed to {action} {reference}: there is none in registry {registry}")]
    NotFound { action: &'static str, reference: String, registry: String },
    /// The registry wants other credentials.
    #[error("failed to {action} {reference}: registry {registry} refuses it; log in with: docker login {registry}")]
    Refused { action: &'static str, reference: String, registry: String, source: Box<dyn Error + Send + Sync> },
    /// The registry answers something else than was expected.
    #[error("failed to {action} {reference}: registry {registry} fails")]
    Failed { action: &'static str, reference: String, registry: String, source: Box<dyn Error + Send + Sync> },
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
    Client(#[source] OciDistributionError),
    /// The artifact has no layer with WebAssembly.
    #[error("{reference} has no WebAssembly: its layers are {found}, and Nebula reads application/wasm")]
    NoWasm { reference: String, found: String },
    /// The artifact has several layers with WebAssembly.
    #[error("{reference} has {count} layers with WebAssembly, and a function is one: push each alone")]
    SeveralWasm { reference: String, count: usize },
    /// The reference is of several artifacts.
    #[error("{reference} is an index of several images; name one of them: {found}")]
    Index { reference: String, found: String },
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
    pub(super) fn of(action: &'static str, reference: String, registry: &str, error: OciDistributionError) -> Self {
        let (registry, reason) = (registry.to_owned(), reason(&error));
        match reason {
            Reason::NotFound => Self::NotFound { action, reference, registry },
            Reason::Refused => Self::Refused { action, reference, registry, source: error.into() },
            Reason::Unreachable => Self::Unreachable { action, reference, registry, source: error.into() },
            Reason::Other => Self::Failed { action, reference, registry, source: error.into() },
        }
    }

    /// The failure of a request that took too long.
    pub(super) fn late(action: &'static str, reference: String, registry: &str, time: Duration) -> Self {
        let source = format!("no answer within {time:?}").into();
        Self::Unreachable { action, reference, registry: registry.to_owned(), source }
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

fn reason(error: &OciDistributionError) -> Reason {
    use OciErrorCode::{BlobUnknown, Denied, ManifestUnknown, NameUnknown, NotFound, Toomanyrequests, Unauthorized};

    let of_status = |code: u16| match code {
        404 => Reason::NotFound,
        401 | 403 => Reason::Refused,
        429 | 500.. => Reason::Unreachable,
        _ => Reason::Other,
    };
    match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            match envelope.errors.first().map(|error| &error.code) {
                Some(ManifestUnknown | NameUnknown | BlobUnknown | NotFound) => Reason::NotFound,
                Some(Unauthorized | Denied) => Reason::Refused,
                Some(Toomanyrequests) => Reason::Unreachable,
                _ => Reason::Other,
            }
        }
        OciDistributionError::ServerError { code, .. } => of_status(*code),
        OciDistributionError::ImageManifestNotFoundError(_) => Reason::NotFound,
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
            Reason::Refused
        }
        OciDistributionError::RequestError(error) => {
            error.status().map_or(Reason::Unreachable, |status| of_status(status.as_u16()))
        }
        OciDistributionError::IoError(_) => Reason::Unreachable,
        _ => Reason::Other,
    }
}
