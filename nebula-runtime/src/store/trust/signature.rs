//! One signature, in one of two forms.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    bundle::{Bundle, Content},
    claim::Claim,
    key::TrustedKey,
    media_type::{BUNDLE, CERTIFICATE_ANNOTATION, SIGNATURE_ANNOTATION, SIMPLE_SIGNING},
    refusal::Refusal,
    signing_key::{SigningError, SigningKey},
    simple_signing,
};
use crate::function::Digest;

/// One signature of a version, as a blob of the store.
///
/// - Its bytes are a JSON text whose `mediaType` says its form.
/// - In the form of simple signing, it is the descriptor of cosign's layer, with the layer's bytes in it (OCI image
///   specification, "Embedded Content"). Else it is a Sigstore bundle as it is.
#[derive(Debug, Clone)]
pub struct Signature {
    bytes: Bytes,
    content: SignatureContent,
}

/// The forms of signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureForm {
    /// cosign's simple signing.
    #[default]
    Simple,
    /// A Sigstore bundle.
    Bundle,
}

/// The parts of a signature in the form of simple signing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimpleParts {
    /// The text that is signed: the bytes of the layer.
    pub payload: Bytes,
    /// The annotations of the layer, with the signature among them.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
enum SignatureContent {
    Simple(SimpleParts),
    Bundle(Bundle),
}

/// A text that is no signature of a known form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSignature(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    media_type: String,
}

/// OCI image specification, "Content Descriptors".
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
    annotations: BTreeMap<String, String>,
    data: String,
}

impl Signature {
    /// Signs a claim.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new(claim: &Claim, form: SignatureForm, key: &SigningKey) -> Result<Self, SigningError> {
        match form {
            SignatureForm::Simple => {
                // Texts and maps always serialize.
                let payload = simple_signing::payload(claim).unwrap_or_default();
                let signature = STANDARD.encode(key.sign(&payload)?);
                let annotations = BTreeMap::from([(SIGNATURE_ANNOTATION.to_owned(), signature)]);
                Ok(Self::of_simple_parts(payload.into(), annotations))
            }
            SignatureForm::Bundle => {
                let bundle = Bundle::signed(claim, key)?;
                let bytes = serde_json::to_vec(&bundle).unwrap_or_default().into();
                Ok(Self { bytes, content: SignatureContent::Bundle(bundle) })
            }
        }
    }

    /// Reads a signature as a store has it.
    ///
    /// # Errors
    /// The bytes are no signature of a known form.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, InvalidSignature> {
        let bytes = bytes.into();
        let invalid = |error: serde_json::Error| InvalidSignature(error.to_string());
        let content = match serde_json::from_slice::<Named>(&bytes).map_err(invalid)?.media_type.as_str() {
            SIMPLE_SIGNING => SignatureContent::Simple(embedded(serde_json::from_slice(&bytes).map_err(invalid)?)?),
            BUNDLE => SignatureContent::Bundle(serde_json::from_slice(&bytes).map_err(invalid)?),
            other => return Err(InvalidSignature(format!("its form is {other:?}, which Nebula does not know"))),
        };
        Ok(Self { bytes, content })
    }

    /// The signature in a layer of cosign's, with the layer's annotations.
    pub fn of_simple_parts(payload: Bytes, annotations: BTreeMap<String, String>) -> Self {
        let descriptor = Descriptor {
            media_type: SIMPLE_SIGNING.to_owned(),
            digest: Digest::of(&payload),
            size: payload.len() as u64,
            annotations: annotations.clone(),
            data: STANDARD.encode(&payload),
        };
        // Texts, numbers and maps always serialize.
        let bytes = serde_json::to_vec(&descriptor).unwrap_or_default().into();
        Self { bytes, content: SignatureContent::Simple(SimpleParts { payload, annotations }) }
    }

    /// Its bytes, as a store has them.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its form.
    pub fn form(&self) -> SignatureForm {
        match &self.content {
            SignatureContent::Simple(_) => SignatureForm::Simple,
            SignatureContent::Bundle(_) => SignatureForm::Bundle,
        }
    }

    /// Its parts, if it has the form of simple signing.
    pub fn simple_parts(&self) -> Option<&SimpleParts> {
        match &self.content {
            SignatureContent::Simple(parts) => Some(parts),
            SignatureContent::Bundle(_) => None,
        }
    }

    /// What it says, and the first of these keys that it is by.
    ///
    /// # Errors
    /// It is by none of them, relies on a certificate, or cannot be understood.
    pub fn verify<'keys>(&self, keys: &'keys [TrustedKey]) -> Result<(Claim, &'keys TrustedKey), Refusal> {
        let Content { message, signatures, claim } = self.content()?;
        let has_signed = |key: &&TrustedKey| signatures.iter().any(|by| key.key.has_signed(&message, by));
        let key = keys.iter().find(has_signed).ok_or(Refusal::NoKey)?;
        Ok((claim, key))
    }

    fn content(&self) -> Result<Content, Refusal> {
        match &self.content {
            SignatureContent::Simple(parts) if parts.annotations.contains_key(CERTIFICATE_ANNOTATION) => {
                Err(Refusal::Certificate)
            }
            SignatureContent::Bundle(bundle) if bundle.has_certificate() => Err(Refusal::Certificate),
            SignatureContent::Simple(parts) => parts.content().map_err(Refusal::Malformed),
            SignatureContent::Bundle(bundle) => bundle.content().map_err(Refusal::Malformed),
        }
    }
}

impl SimpleParts {
    fn content(&self) -> Result<Content, String> {
        let signature = self.annotations.get(SIGNATURE_ANNOTATION).ok_or("it has no signature")?;
        let signature = STANDARD.decode(signature).map_err(|error| error.to_string())?;
        let (message, claim) = (self.payload.to_vec(), simple_signing::claim(&self.payload)?);
        Ok(Content { message, signatures: vec![signature], claim })
    }
}

/// The layer in a descriptor.
fn embedded(descriptor: Descriptor) -> Result<SimpleParts, InvalidSignature> {
    let Descriptor { digest, annotations, data, .. } = descriptor;
    let payload = STANDARD.decode(data).map_err(|error| InvalidSignature(error.to_string()))?;
    if Digest::of(&payload) != digest {
        return Err(InvalidSignature(format!("its payload does not have the digest {digest}")));
    }
    Ok(SimpleParts { payload: payload.into(), annotations })
}
