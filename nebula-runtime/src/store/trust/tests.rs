//! Signatures that openssl made in the documented formats (`tests/signatures/make.sh`), and our own.

use std::collections::BTreeMap;

use super::{
    BUNDLE, Claim, InvalidKey, InvalidTrust, KeyKind, PublicKey, Refusal, SIGNATURE_ANNOTATION, SIMPLE_SIGNING,
    Signature, SignatureForm, SigningKey, Trust, TrustedKey,
};
use crate::{
    function::{Digest, FunctionName, RegistryErrorKind},
    store::{PublishedVersion, Store, conformance::sample, layout, trust::Candidate},
};

/// A file that `make.sh` has made.
macro_rules! vector {
    ($file:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/signatures/", $file))
    };
}

const P256: &[u8] = vector!("p256.pub");
const ED25519: &[u8] = vector!("ed25519.pub");

fn key(name: &str, file: &[u8]) -> TrustedKey {
    TrustedKey::new(name, PublicKey::from_pem(file).unwrap())
}

fn both() -> [TrustedKey; 2] {
    [key("p256.pub", P256), key("ed25519.pub", ED25519)]
}

/// What the vectors are about.
fn claim(version: Option<u64>) -> Claim {
    Claim { name: "shop".to_owned(), manifest: Digest::of(b"a manifest"), version }
}

fn simple(signature: &[u8], more: &[(&str, &str)]) -> Signature {
    let signature = (SIGNATURE_ANNOTATION, std::str::from_utf8(signature).unwrap());
    let annotations = more.iter().copied().chain([signature]).map(|(name, value)| (name.to_owned(), value.to_owned()));
    Signature::of_simple_parts(vector!("payload.json").as_slice().into(), annotations.collect())
}

/// A bundle with a part of its text replaced.
fn bundle(file: &'static [u8], from: &str, to: &str) -> Signature {
    let text = String::from_utf8(file.to_vec()).unwrap();
    assert!(text.contains(from), "{text} does not have {from}");
    Signature::parse(text.replacen(from, to, 1)).unwrap()
}

#[test]
fn a_signature_of_openssl_in_each_form_and_by_each_kind_of_key_is_verified() {
    let cases = [
        (simple(vector!("payload.p256.sig"), &[]), "p256.pub", None),
        (simple(vector!("payload.ed25519.sig"), &[]), "ed25519.pub", None),
        (Signature::parse(vector!("bundle.p256.json").as_slice()).unwrap(), "p256.pub", Some(3)),
        (Signature::parse(vector!("bundle.ed25519.json").as_slice()).unwrap(), "ed25519.pub", Some(3)),
    ];
    for (signature, by, version) in cases {
        let keys = both();
        let (found, key) = signature.verify(&keys).unwrap();
        assert_eq!((found, key.name.as_str()), (claim(version), by));
        let read = Signature::parse(signature.bytes().clone()).unwrap();
        assert_eq!((read.form(), read.verify(&keys).unwrap().0), (signature.form(), claim(version)));
    }
}

#[test]
fn a_key_of_each_kind_signs_in_each_form_what_its_public_half_verifies() {
    for kind in [KeyKind::P256, KeyKind::Ed25519] {
        let key = SigningKey::from_pem(SigningKey::generate(kind).unwrap().as_bytes()).unwrap();
        let public = PublicKey::from_pem(key.public().to_pem().as_bytes()).unwrap();
        assert_eq!(public, key.public());
        for (form, media_type) in [(SignatureForm::Simple, SIMPLE_SIGNING), (SignatureForm::Bundle, BUNDLE)] {
            let signature = Signature::new(&claim(Some(7)), form, &key).unwrap();
            assert!(String::from_utf8_lossy(signature.bytes()).contains(media_type));
            let read = Signature::parse(signature.bytes().clone()).unwrap();
            assert_eq!(read.verify(&[TrustedKey::new("team.pub", public.clone())]).unwrap().0, claim(Some(7)));
            assert_eq!(read.verify(&both()).unwrap_err(), Refusal::NoKey);
        }
    }
}

#[test]
fn the_keys_of_openssl_sign() {
    for (private, public) in [(vector!("p256.key").as_slice(), P256), (vector!("ed25519.key"), ED25519)] {
        let signing = SigningKey::from_pem(private).unwrap();
        assert_eq!(signing.public().to_pem().as_bytes(), public);
        let signature = Signature::new(&claim(None), SignatureForm::Simple, &signing).unwrap();
        assert_eq!(signature.verify(&[key("it", public)]).unwrap().0, claim(None));
    }
}

#[test]
fn a_signature_that_was_changed_or_relies_on_a_certificate_is_refused() {
    let file = vector!("bundle.p256.json");
    let cases = [
        (simple(vector!("payload.ed25519.sig"), &[("dev.sigstore.cosign/certificate", "-----")]), Refusal::Certificate),
        (bundle(file, "\"publicKey\":{", "\"certificate\":{\"rawBytes\":\"\"},\"publicKey\":{"), Refusal::Certificate),
        (bundle(file, "\"publicKey\":{", "\"x509CertificateChain\":{},\"publicKey\":{"), Refusal::Certificate),
        (bundle(file, "\"sig\":\"MEQ", "\"sig\":\"MEU"), Refusal::NoKey),
        (bundle(file, "\"signatures\":[", "\"signatures\":[],\"was\":["), Refusal::NoKey),
        (simple(b"AAAA", &[]), Refusal::NoKey),
        (bundle(file, "\"sig\":\"MEQ", "\"sig\":\"%%%"), Refusal::Malformed("Invalid symbol 37, offset 0.".to_owned())),
        (bundle(file, "dsseEnvelope", "messageSignature"), Refusal::Malformed("it has no DSSE envelope".to_owned())),
        (
            bundle(file, "application/vnd.in-toto+json", "text/plain"),
            Refusal::Malformed(
                "its payload has the type \"text/plain\", expected \"application/vnd.in-toto+json\"".to_owned(),
            ),
        ),
    ];
    for (signature, expected) in cases {
        let text = String::from_utf8_lossy(signature.bytes()).into_owned();
        assert_eq!(signature.verify(&both()).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn a_payload_that_was_changed_is_refused() {
    let payload = String::from_utf8(vector!("payload.json").to_vec()).unwrap();
    let signed = String::from_utf8(vector!("payload.p256.sig").to_vec()).unwrap();
    let annotations = BTreeMap::from([(SIGNATURE_ANNOTATION.to_owned(), signed)]);
    for (from, to) in [("shop", "shot"), ("\"optional\":null", "\"optional\":{\"nebula.version\":\"9\"}"), ("}", "} ")]
    {
        let changed = payload.replacen(from, to, 1);
        let signature = Signature::of_simple_parts(changed.into(), annotations.clone());
        assert_eq!(signature.verify(&both()).unwrap_err(), Refusal::NoKey);
    }
    let other = payload.replacen("cosign container image signature", "atomic", 1);
    let refusal = Signature::of_simple_parts(other.into(), annotations).verify(&both()).unwrap_err();
    assert!(matches!(&refusal, Refusal::Malformed(why) if why.starts_with("its type is \"atomic\"")), "{refusal:?}");
}

#[test]
fn a_text_that_is_no_signature_is_refused() {
    let stored =
        Signature::new(&claim(None), SignatureForm::Simple, &SigningKey::from_pem(vector!("p256.key")).unwrap());
    let stored = String::from_utf8(stored.unwrap().bytes().to_vec()).unwrap();
    let cases = [
        ("", "EOF"),
        ("{}", "missing field `mediaType`"),
        (r#"{"mediaType":"text/plain"}"#, "its form is \"text/plain\", which Nebula does not know"),
        (&stored.replace("\"data\":\"ey", "\"data\":\"fy"), "its payload does not have the digest sha256:"),
        (r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}"#, "missing field `verificationMaterial`"),
    ];
    for (text, expected) in cases {
        let error = Signature::parse(text.to_owned()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}

#[test]
fn a_file_that_is_no_key_is_refused_with_what_to_do() {
    let cosign = b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\neyJrZGYiOnt9fQ==\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n";
    let damaged = b"-----BEGIN PUBLIC KEY-----\n%%\n-----END PUBLIC KEY-----\n";
    let public: [(&[u8], Result<(), InvalidKey>); 7] = [
        (P256, Ok(())),
        (b"", Err(InvalidKey::NoPublicKey)),
        (b"\xff\0", Err(InvalidKey::NoPublicKey)),
        (vector!("p256.key"), Err(InvalidKey::PrivateKey)),
        (cosign, Err(InvalidKey::PrivateKey)),
        (vector!("certificate.pem"), Err(InvalidKey::Certificate)),
        (vector!("p384.pub"), Err(InvalidKey::Unsupported)),
    ];
    for (file, expected) in public {
        assert_eq!(PublicKey::from_pem(file).map(drop), expected, "{}", String::from_utf8_lossy(file));
    }
    assert!(matches!(PublicKey::from_pem(damaged), Err(InvalidKey::Damaged(_))));
    let private: [(&[u8], Result<(), InvalidKey>); 8] = [
        (vector!("ed25519.key"), Ok(())),
        (b"", Err(InvalidKey::NoPrivateKey)),
        (P256, Err(InvalidKey::PublicKey)),
        (cosign, Err(InvalidKey::EncryptedByCosign)),
        (vector!("encrypted.key"), Err(InvalidKey::Encrypted)),
        (vector!("sec1.key"), Err(InvalidKey::OldFormat)),
        (vector!("p384.key"), Err(InvalidKey::Unsupported)),
        (vector!("certificate.pem"), Err(InvalidKey::Certificate)),
    ];
    for (file, expected) in private {
        assert_eq!(SigningKey::from_pem(file).map(drop), expected, "{}", String::from_utf8_lossy(file));
    }
}

/// A store with one version of `shop`, and a key of the team.
struct Shop {
    store: Store,
    name: FunctionName,
    published: PublishedVersion,
    key: SigningKey,
}

impl Shop {
    async fn new() -> Self {
        let (store, name) = (Store::memory(), "shop".parse().unwrap());
        let published = store.publish(&name, sample("shop"), None).await.unwrap();
        let key = SigningKey::from_pem(SigningKey::generate(KeyKind::P256).unwrap().as_bytes()).unwrap();
        Self { store, name, published, key }
    }

    async fn sign(&self, claim: &Claim, key: &SigningKey) {
        let signature = Signature::new(claim, SignatureForm::Bundle, key).unwrap();
        let version = (self.published.number, self.published.manifest);
        assert!(self.store.add_signature(&self.name, version, &signature).await.unwrap().changed);
    }

    fn claim(&self, name: &str, version: Option<u64>) -> Claim {
        Claim { name: name.to_owned(), manifest: self.published.manifest, version }
    }

    /// What a process trusts that has the team's key.
    fn trust(&self, lowest: Option<u64>) -> Trust {
        let lowest = lowest.map(|lowest| (self.name.clone(), lowest));
        let key = TrustedKey::new("team.pub", self.key.public());
        Trust::required(vec![key], lowest.into_iter().collect()).unwrap()
    }

    /// The message and the reasons of a refusal, without their common beginning and end.
    async fn refusal(&self, trust: &Trust) -> Option<(String, String)> {
        let record = self.store.record(&self.name).await.unwrap().unwrap();
        let (number, entry) = record.latest().unwrap();
        let error = trust.check(&self.store, &Candidate::of(&self.name, number, entry)).await.err()?;
        assert_eq!(error.kind(), RegistryErrorKind::Invalid);
        let detail = error.detail().strip_prefix("version 1 of function shop is not trusted here: ").unwrap();
        let why = detail.strip_suffix("; sign it: nebula sign shop@1 --key FILE").unwrap().to_owned();
        Some((why, error.into_source().map(|source| source.to_string()).unwrap_or_default()))
    }
}

#[tokio::test]
async fn a_version_is_trusted_by_a_signature_over_its_manifest_and_its_name_alone() {
    let other_key = SigningKey::from_pem(vector!("p256.key")).unwrap();
    let shop = Shop::new().await;
    let trust = shop.trust(None);
    assert_eq!(shop.refusal(&trust).await, Some(("it is not signed".to_owned(), String::new())));
    assert_eq!(shop.refusal(&Trust::optional(vec![])).await, None, "signatures are not required");

    shop.sign(&shop.claim("shop", Some(1)), &other_key).await;
    let by_none = "it is by none of the keys, or was changed";
    assert_eq!(shop.refusal(&trust).await.unwrap(), ("its signature does not count".to_owned(), by_none.to_owned()));
    shop.sign(&shop.claim("till", Some(1)), &shop.key).await;
    shop.sign(&Claim { manifest: Digest::of(b""), ..shop.claim("shop", Some(1)) }, &shop.key).await;
    let (why, reasons) = shop.refusal(&trust).await.unwrap();
    assert_eq!(why, "none of its 3 signatures counts");
    let (empty, manifest) = (Digest::of(b""), shop.published.manifest);
    let other = format!("it is for the manifest {empty}, and not for {manifest}");
    assert_eq!(reasons, format!("{by_none}; it is for till, and not for shop; {other}"));

    shop.sign(&shop.claim("shop", Some(1)), &shop.key).await;
    assert_eq!(shop.refusal(&trust).await, None);
    let record = shop.store.record(&shop.name).await.unwrap().unwrap();
    let verdict = trust.verdict(&shop.store, &shop.name, 1, record.latest().unwrap().1).await.unwrap();
    assert_eq!((verdict.signed_by().collect::<Vec<_>>(), verdict.refusals().count()), (vec!["team.pub"], 3));
}

#[tokio::test]
async fn the_lowest_version_is_proven_by_the_signature_and_not_by_the_record() {
    let cases = [(None, None, true), (None, Some(1), false), (Some(1), Some(1), true), (Some(1), Some(2), false)];
    for (signed, lowest, is_trusted) in cases {
        let shop = Shop::new().await;
        shop.sign(&shop.claim("shop", signed), &shop.key).await;
        assert_eq!(shop.refusal(&shop.trust(lowest)).await.is_none(), is_trusted, "{signed:?} {lowest:?}");
    }
}

#[tokio::test]
async fn a_signature_that_the_store_has_lost_or_changed_does_not_count() {
    let shop = Shop::new().await;
    shop.sign(&shop.claim("shop", Some(1)), &shop.key).await;
    let record = shop.store.record(&shop.name).await.unwrap().unwrap();
    let blob = record.latest().unwrap().1.signatures[0];
    shop.store.backend.overwrite(&layout::blob(blob), "{}".into()).await.unwrap();
    let (_, reasons) = shop.refusal(&shop.trust(None)).await.unwrap();
    assert!(reasons.starts_with(&format!("blob {blob} in store memory:// is corrupt")), "{reasons}");
}

#[tokio::test]
async fn a_signature_is_added_once_and_only_to_the_version_that_it_is_for() {
    let shop = Shop::new().await;
    let signature = Signature::parse(vector!("bundle.p256.json").as_slice()).unwrap();
    let add = |number, manifest| shop.store.add_signature(&shop.name, (number, manifest), &signature);
    assert!(add(1, shop.published.manifest).await.unwrap().changed);
    assert!(!add(1, shop.published.manifest).await.unwrap().changed);
    for (number, manifest) in [(2, shop.published.manifest), (1, Digest::of(b"another"))] {
        let error = add(number, manifest).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("function shop has no version {number}")), "{error}");
    }
}

#[test]
fn signatures_cannot_be_required_without_a_key() {
    assert_eq!(Trust::required(vec![], BTreeMap::new()).unwrap_err(), InvalidTrust::NoKeys);
}
