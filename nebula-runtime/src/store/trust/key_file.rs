//! Files with keys, in PEM (RFC 7468).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{
    PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer,
    pem::{self, PemObject as _},
};

/// Why a file is not the key that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// A public key was expected.
    #[error("it has no public key: expected -----BEGIN PUBLIC KEY-----, as nebula keygen and openssl write it")]
    NoPublicKey,
    /// A private key was expected.
    #[error("it has no private key: expected -----BEGIN PRIVATE KEY-----, as nebula keygen and openssl write it")]
    NoPrivateKey,
    /// A public key was expected.
    #[error("it has a private key; name the file with the public key, such as team.pub")]
    PrivateKey,
    /// A private key was expected.
    #[error("it has a public key; name the file with the private key, such as team.key")]
    PublicKey,
    /// A key was expected.
    #[error("it has a certificate; openssl x509 -in FILE -pubkey -noout prints the public key in it")]
    Certificate,
    /// The key is encrypted as cosign does it.
    #[error(
        "it is a key that cosign has encrypted, which only cosign reads. Make one key for both: nebula keygen, and then \
         cosign import-key-pair --key team.key"
    )]
    EncryptedByCosign,
    /// The key is encrypted.
    #[error("the key is encrypted; openssl pkey -in FILE -out team.key decrypts it")]
    Encrypted,
    /// The key has an older format.
    #[error("the key has an older format; openssl pkcs8 -topk8 -nocrypt -in FILE -out team.key converts it")]
    OldFormat,
    /// The key is of an algorithm that is not supported.
    #[error("the key is neither for P-256 nor for Ed25519; nebula keygen makes one that is")]
    Unsupported,
    /// The text between the lines of PEM is none.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// The labels of keys, and why each is not what was expected.
const OTHERS: [(&str, InvalidKey); 7] = [
    ("ENCRYPTED SIGSTORE PRIVATE KEY", InvalidKey::EncryptedByCosign),
    ("ENCRYPTED COSIGN PRIVATE KEY", InvalidKey::EncryptedByCosign),
    ("ENCRYPTED PRIVATE KEY", InvalidKey::Encrypted),
    ("EC PRIVATE KEY", InvalidKey::OldFormat),
    ("RSA PRIVATE KEY", InvalidKey::Unsupported),
    ("OPENSSH PRIVATE KEY", InvalidKey::Unsupported),
    ("CERTIFICATE", InvalidKey::Certificate),
];

/// The `SubjectPublicKeyInfo` in a file (RFC 5280, section 4.1).
pub(super) fn public_key(file: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    match SubjectPublicKeyInfoDer::from_pem_slice(file) {
        Ok(key) => Ok(key.as_ref().to_vec()),
        Err(pem::Error::NoItemsFound) if has(file, "PRIVATE KEY") => Err(InvalidKey::PrivateKey),
        Err(error) => Err(why(file, &error, InvalidKey::NoPublicKey)),
    }
}

/// The `OneAsymmetricKey` in a file (PKCS #8, RFC 5958).
pub(super) fn private_key(file: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    match PrivatePkcs8KeyDer::from_pem_slice(file) {
        Ok(key) => Ok(key.secret_pkcs8_der().to_vec()),
        Err(pem::Error::NoItemsFound) if has(file, "PUBLIC KEY") => Err(InvalidKey::PublicKey),
        Err(error) => Err(why(file, &error, InvalidKey::NoPrivateKey)),
    }
}

fn why(file: &[u8], error: &pem::Error, missing: InvalidKey) -> InvalidKey {
    let other = OTHERS.into_iter().find(|(label, _)| has(file, label));
    match (other, error) {
        (Some((_, other)), _) => other,
        (None, pem::Error::NoItemsFound) => missing,
        (None, error) => InvalidKey::Damaged(error.to_string()),
    }
}

/// Whether a file has something with this label.
fn has(file: &[u8], label: &str) -> bool {
    let text = String::from_utf8_lossy(file);
    text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(label))
}

/// A key as the text of a file.
pub(super) fn written(label: &str, der: &[u8]) -> String {
    const WIDTH: usize = 64;

    let encoded = STANDARD.encode(der);
    let lines: Vec<_> = encoded.as_bytes().chunks(WIDTH).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
