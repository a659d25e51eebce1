//! What the signatures of a version come to.

use super::refusal::Refusal;
use crate::function::Digest;

/// What the signatures of a version come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Each signature, in the order in which they were made.
    pub signatures: Vec<Checked>,
}

/// A signature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// The blob that it is.
    pub blob: Digest,
    /// The name of the key that it is by, or why it does not count.
    pub outcome: Result<String, Refusal>,
}

impl Verdict {
    /// The names of the keys that have signed the version.
    pub fn signed_by(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().filter_map(|signature| signature.outcome.as_deref().ok())
    }

    /// Whether one of the keys has signed the version.
    pub fn is_signed(&self) -> bool {
        self.signed_by().next().is_some()
    }

    /// Why each signature does not count that does not.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.signatures.iter().filter_map(|signature| signature.outcome.as_ref().err())
    }
}
