//! Private keys.

use std::fmt;

use ring::{
    rand::{self, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};

use super::{
    key::{Algorithm, PublicKey},
    key_file::{self, InvalidKey},
};

/// A private key that versions are signed with.
pub struct SigningKey(Pair);

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The kinds of keys that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// ECDSA on the curve P-256 with SHA-256, which cosign uses.
    #[default]
    P256,
    /// Ed25519.
    Ed25519,
}

/// What stands before the seed in an Ed25519 key without its public half (RFC 8410, section 7). OpenSSL 3.0 reads no other
/// ones, and ring makes others.
const ED25519_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The system gave no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers, which keys and signatures need")]
pub struct SigningError;

impl SigningKey {
    /// Makes a key, and returns the text of its file: a PKCS #8 key in PEM. Whoever has that text can sign.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate(kind: KeyKind) -> Result<String, SigningError> {
        let random = SystemRandom::new();
        let der = match kind {
            KeyKind::P256 => {
                let pair = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
                pair.map_err(|_| SigningError)?.as_ref().to_vec()
            }
            KeyKind::Ed25519 => {
                let seed = rand::generate::<[u8; 32]>(&random).map_err(|_| SigningError)?;
                [ED25519_PREFIX.as_slice(), &seed.expose()].concat()
            }
        };
        Ok(key_file::written("PRIVATE KEY", &der))
    }

    /// Reads a key from the text of a file: a PKCS #8 key in PEM, as `nebula keygen` and openssl write it.
    ///
    /// # Errors
    /// The file has no such key.
    pub fn from_pem(file: &[u8]) -> Result<Self, InvalidKey> {
        let der = key_file::private_key(file)?;
        let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &SystemRandom::new());
        // openssl writes Ed25519 keys without their public half.
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Pair::Ed25519);
        let pair = p256.map(Pair::P256).or_else(|_| ed25519());
        pair.map(Self).map_err(|_| InvalidKey::Unsupported)
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        match &self.0 {
            Pair::P256(pair) => PublicKey::new(Algorithm::P256, pair.public_key().as_ref()),
            Pair::Ed25519(pair) => PublicKey::new(Algorithm::Ed25519, pair.public_key().as_ref()),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        match &self.0 {
            Pair::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| SigningError)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}
