//! Why a text is not the URL of a backend.

/// Why a text is not a [`KeyValueUrl`](super::KeyValueUrl), or the backend cannot be set up. The message does not have the text, which may
/// have a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeyValueUrl {
    /// It names a backend that no build has.
    #[error("unknown kind of URL {scheme:?}; expected {EXPECTED}")]
    UnknownScheme {
        /// What is written before the colon.
        scheme: String,
    },
    /// It names a backend that this build does not have.
    #[error(
        "this build of Nebula has no {scheme} backend; build it with the feature {feature}, or use another service"
    )]
    NotInThisBuild {
        /// What is written before the colon.
        scheme: String,
        /// The feature of `nebula-runtime` that brings the backend.
        feature: &'static str,
    },
    /// It is not understood.
    #[error("the URL is not understood; expected {expected}")]
    Malformed {
        /// How such a URL looks.
        expected: &'static str,
    },
    /// The file of the backend cannot be written here.
    #[error("{reason}")]
    Obstacle {
        /// Why, and what to do.
        reason: &'static str,
    },
    /// The client of the service cannot be made, for example because credentials are missing.
    #[error("the client of the service cannot be made: {reason}")]
    Client {
        /// The reason.
        reason: String,
    },
}

const EXPECTED: &str = "memory:, redb:PATH, redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE, nats://HOST:PORT/BUCKET, or s3://BUCKET/PREFIX";
