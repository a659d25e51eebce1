//! The Sigstore bundle: an in-toto statement in a DSSE envelope.
//!
//! The formats are those of "Sigstore bundle" 0.3, "DSSE: Dead Simple Signing Envelope" 1.0 and "in-toto Statement" 1.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    claim::Claim,
    key::PublicKey,
    media_type::{BUNDLE, IN_TOTO, VERSION},
    signing_key::{SigningError, SigningKey},
};
use crate::function::Digest;

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bundle {
    media_type: String,
    verification_material: Material,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<Envelope>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<Hint>,
    #[serde(default, skip_serializing)]
    certificate: Option<Value>,
    #[serde(default, skip_serializing)]
    x509_certificate_chain: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Hint {
    hint: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct EnvelopeSignature {
    sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default)]
    predicate: Value,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    #[serde(default)]
    name: String,
    digest: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, Value>,
}

/// A bundle's signed bytes, their signatures, and what they say.
pub(super) struct Content {
    pub(super) message: Vec<u8>,
    pub(super) signatures: Vec<Vec<u8>>,
    pub(super) claim: Claim,
}

impl Bundle {
    /// Signs a claim.
    pub(super) fn signed(claim: &Claim, key: &SigningKey) -> Result<Self, SigningError> {
        // Texts and maps always serialize.
        let payload = serde_json::to_vec(&statement(claim)).unwrap_or_default();
        let sig = STANDARD.encode(key.sign(&pre_authentication_encoding(IN_TOTO, &payload))?);
        let envelope = Envelope {
            payload: STANDARD.encode(payload),
            payload_type: IN_TOTO.to_owned(),
            signatures: vec![EnvelopeSignature { sig }],
        };
        let public_key = Some(Hint { hint: hint(&key.public()) });
        let verification_material = Material { public_key, ..Material::default() };
        Ok(Self { media_type: BUNDLE.to_owned(), verification_material, dsse_envelope: Some(envelope) })
    }

    /// Whether it was signed with a certificate and not with a key.
    pub(super) fn has_certificate(&self) -> bool {
        let Material { certificate, x509_certificate_chain, .. } = &self.verification_material;
        certificate.is_some() || x509_certificate_chain.is_some()
    }

    /// What is signed in it.
    pub(super) fn content(&self) -> Result<Content, String> {
        let envelope = self.dsse_envelope.as_ref().ok_or("it has no DSSE envelope")?;
        let Envelope { payload, payload_type, signatures } = envelope;
        if payload_type != IN_TOTO {
            return Err(format!("its payload has the type {payload_type:?}, expected {IN_TOTO:?}"));
        }
        let decoded = |text: &String| STANDARD.decode(text).map_err(|error| error.to_string());
        let payload = decoded(payload)?;
        let signatures = signatures.iter().map(|signature| decoded(&signature.sig)).collect::<Result<_, _>>()?;
        let message = pre_authentication_encoding(payload_type, &payload);
        Ok(Content { message, signatures, claim: claim(&payload)? })
    }
}

/// How a bundle hints at a key.
fn hint(key: &PublicKey) -> String {
    STANDARD.encode(key.digest().as_bytes())
}

/// The bytes that are signed (DSSE, "Signature Definition").
fn pre_authentication_encoding(kind: &str, payload: &[u8]) -> Vec<u8> {
    [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), payload].concat()
}

fn statement(claim: &Claim) -> Statement {
    let Claim { name, manifest, version } = claim.clone();
    let annotations = version.map(|version| (VERSION.to_owned(), version.to_string().into())).into_iter().collect();
    let subject = Subject { name, digest: BTreeMap::from([("sha256".to_owned(), manifest.hex())]), annotations };
    let (kind, predicate_type) = (STATEMENT.to_owned(), PREDICATE.to_owned());
    Statement { kind, subject: vec![subject], predicate_type, predicate: Value::Object(Default::default()) }
}

/// What a statement says: of one subject, so that it is plain which.
fn claim(payload: &[u8]) -> Result<Claim, String> {
    let Statement { kind, subject, predicate_type, .. } =
        serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if (kind.as_str(), predicate_type.as_str()) != (STATEMENT, PREDICATE) {
        return Err(format!("it states {predicate_type:?} as {kind:?}, expected {PREDICATE:?} as {STATEMENT:?}"));
    }
    let [Subject { name, digest, annotations }] = <[Subject; 1]>::try_from(subject)
        .map_err(|subjects| format!("it is about {} subjects, expected 1", subjects.len()))?;
    let hex = digest.get("sha256").ok_or("its subject has no SHA-256")?;
    let manifest: Digest = format!("sha256:{hex}").parse().map_err(|_| format!("{hex:?} is no SHA-256"))?;
    let version = annotations.get(VERSION).and_then(|version| version.as_str()?.parse().ok());
    Ok(Claim { name, manifest, version })
}
