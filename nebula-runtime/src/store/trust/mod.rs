//! Trust: signatures of versions, and the keys that they are checked with.
//!
//! ```text
//! record of the function:  version 3, manifest sha256:9f…, signatures [sha256:c4…]
//! blobs/sha256/c4…         one signature, as JSON whose "mediaType" says which of two forms it has
//! ```
//!
//! - A signature covers a [`Claim`]: a function's name, the digest of a version's manifest, and the version's number.
//! - [`Trust`] has the keys of one process. It is checked wherever a version is about to be run, moved to or packaged.
//! - The two forms are those of cosign: its simple signing (`simple_signing.rs`), and the Sigstore bundle (`bundle.rs`).
//!   There is no transparency log, and no certificate is checked.
//!
//! A program without the feature `compiler` runs packages only, and trusts them as a whole: there, [`Trust`] is nothing.

#[cfg(not(feature = "compiler"))]
mod absent;
#[cfg(feature = "compiler")]
mod bundle;
mod candidate;
#[cfg(feature = "compiler")]
mod claim;
#[cfg(feature = "compiler")]
mod key;
#[cfg(feature = "compiler")]
mod key_file;
#[cfg(feature = "compiler")]
mod media_type;
#[cfg(feature = "compiler")]
mod policy;
#[cfg(feature = "compiler")]
mod refusal;
#[cfg(feature = "compiler")]
mod signature;
#[cfg(feature = "compiler")]
mod signing;
#[cfg(feature = "compiler")]
mod signing_key;
#[cfg(feature = "compiler")]
mod simple_signing;
#[cfg(test)]
#[cfg(feature = "compiler")]
mod tests;
#[cfg(feature = "compiler")]
mod verdict;

#[cfg(not(feature = "compiler"))]
pub(crate) use self::absent::Trust;
pub(crate) use self::candidate::Candidate;
#[cfg(feature = "compiler")]
pub use self::{
    claim::Claim,
    key::{PublicKey, TrustedKey},
    key_file::InvalidKey,
    media_type::{BUNDLE, SIGNATURE_ANNOTATION, SIMPLE_SIGNING},
    policy::{InvalidTrust, Trust},
    refusal::Refusal,
    signature::{InvalidSignature, Signature, SignatureForm, SimpleParts},
    signing::Signed,
    signing_key::{KeyKind, SigningError, SigningKey},
    verdict::{Checked, Verdict},
};
