//! Any bytes as a key or as a signature.

use std::sync::LazyLock;

use nebula_runtime::{
    TrustedKey,
    store::trust::{Claim, PublicKey, Signature, SignatureForm, SigningKey},
};

/// Keys that have signed nothing but files of the corpus.
const KEYS: [(&str, &str); 2] = [
    ("p256.pub", include_str!("../../corpus/signature/p256.pub")),
    ("ed25519.pub", include_str!("../../corpus/signature/ed25519.pub")),
];

/// The digest of the manifest that these keys have signed.
const MANIFEST: &str = "sha256:e59625a822497c164d60705eb3fd6975c375ca213b8140137a826a77790986a9";

/// The number of the version that the bundles are of. The other form of signatures names none here.
const VERSION: u64 = 3;

static TRUSTED: LazyLock<Vec<TrustedKey>> = LazyLock::new(|| {
    let trusted = |(name, pem): (&str, &str)| TrustedKey::new(name, PublicKey::from_pem(pem.as_bytes()).unwrap());
    KEYS.map(trusted).into()
});

/// Any bytes are a key or a signature, or they are refused. Keys and signatures are written as texts that are read as
/// the same. Only what was signed with a key is ever found to be signed with it.
pub fn signature(input: &[u8]) {
    if let Ok(key) = PublicKey::from_pem(input) {
        assert_eq!(PublicKey::from_pem(key.to_pem().as_bytes()), Ok(key));
    }
    if let Ok(key) = SigningKey::from_pem(input) {
        let public = key.public();
        assert_eq!(PublicKey::from_pem(public.to_pem().as_bytes()), Ok(public));
    }
    if let Ok(signature) = Signature::parse(input.to_vec()) {
        assert_eq!(signature.bytes(), input);
        assert_reads_as_written(&signature);
        if let Ok((claim, _)) = signature.verify(&TRUSTED) {
            let mut expected = Claim::new(&"shop".parse().unwrap(), MANIFEST.parse().unwrap(), VERSION);
            if signature.form() == SignatureForm::Simple {
                expected.version = None;
            }
            assert_eq!(claim, expected);
        }
    }
}

fn assert_reads_as_written(signature: &Signature) {
    let Some(parts) = signature.simple_parts() else { return };
    let written = Signature::of_simple_parts(parts.payload.clone(), parts.annotations.clone());
    let read = Signature::parse(written.bytes().clone()).unwrap();
    assert_eq!(read.simple_parts(), Some(parts));
}
