//! Public keys.

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};

use super::key_file::{self, InvalidKey};
use crate::function::Digest;

/// A public key that signatures are checked with: ECDSA on the curve P-256 with SHA-256, or Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// The point, as its algorithm writes it.
    point: Vec<u8>,
}

/// A key that versions are trusted by, and the name that messages have for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustedKey {
    /// How messages name it: by its file, as `team.pub`.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    P256,
    Ed25519,
}

/// What stands before the point in the `SubjectPublicKeyInfo` of a P-256 key: `id-ecPublicKey` with the named curve
/// `secp256r1` (RFC 5480, section 2.1.1). The point is not compressed.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// What stands before the point in the `SubjectPublicKeyInfo` of an Ed25519 key (RFC 8410, section 4).
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl Algorithm {
    const ALL: [Self; 2] = [Self::P256, Self::Ed25519];

    fn prefix(self) -> &'static [u8] {
        match self {
            Self::P256 => &P256_PREFIX,
            Self::Ed25519 => &ED25519_PREFIX,
        }
    }

    fn point_length(self) -> usize {
        match self {
            Self::P256 => 65,
            Self::Ed25519 => 32,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::Ed25519 => &ED25519,
        }
    }
}

impl PublicKey {
    /// Reads a key from the text of a file: a `SubjectPublicKeyInfo` in PEM, as `nebula keygen` and openssl write it.
    ///
    /// # Errors
    /// The file has no such key.
    pub fn from_pem(file: &[u8]) -> Result<Self, InvalidKey> {
        let der = key_file::public_key(file)?;
        let point = |algorithm: Algorithm| {
            let point = der.strip_prefix(algorithm.prefix()).filter(|point| point.len() == algorithm.point_length())?;
            Some(Self::new(algorithm, point))
        };
        Algorithm::ALL.into_iter().find_map(point).ok_or(InvalidKey::Unsupported)
    }

    pub(super) fn new(algorithm: Algorithm, point: &[u8]) -> Self {
        Self { algorithm, point: point.to_vec() }
    }

    /// The key as the text of a file.
    pub fn to_pem(&self) -> String {
        key_file::written("PUBLIC KEY", &self.der())
    }

    /// The digest of the key, by which a bundle hints at it.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.der())
    }

    fn der(&self) -> Vec<u8> {
        [self.algorithm.prefix(), &self.point].concat()
    }

    /// Whether the owner of this key has signed `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.algorithm.verification(), &self.point).verify(message, signature).is_ok()
    }
}

impl TrustedKey {
    /// A key, and the name that messages have for it.
    pub fn new(name: impl Into<String>, key: PublicKey) -> Self {
        Self { name: name.into(), key }
    }
}
