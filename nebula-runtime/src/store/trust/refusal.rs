//! Why a signature does not count.

use crate::function::Digest;

/// Why a signature does not count for a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No key of the list has made it, or what it signs was changed since.
    #[error("it is by none of the keys, or was changed")]
    NoKey,
    /// It relies on a certificate.
    #[error("it was signed with a certificate, which Nebula does not check; sign with a key")]
    Certificate,
    /// It is for another function.
    #[error("it is for {found}, and not for {name}")]
    OtherName {
        /// The name that it is for.
        found: String,
        /// The function's name.
        name: String,
    },
    /// It is for other bytes.
    #[error("it is for the manifest {found}, and not for {manifest}")]
    OtherManifest {
        /// The manifest that it is for.
        found: Digest,
        /// The version's manifest.
        manifest: Digest,
    },
    /// It does not say the number of its version, and there is a lowest one.
    #[error("it does not say which version it is for, and the lowest that is trusted is {lowest}")]
    NoVersion {
        /// The lowest version that is trusted.
        lowest: u64,
    },
    /// It is for an earlier version than the lowest one.
    #[error("it is for version {found}, and the lowest that is trusted is {lowest}")]
    TooLow {
        /// The version that it is for.
        found: u64,
        /// The lowest version that is trusted.
        lowest: u64,
    },
    /// It cannot be understood.
    #[error("it cannot be understood: {0}")]
    Malformed(String),
    /// The store does not have it any more, or it was changed there.
    #[error("{0}")]
    Unreadable(String),
}
