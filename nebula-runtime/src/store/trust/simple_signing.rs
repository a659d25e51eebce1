//! cosign's simple signing: a small JSON text is signed, and the signature is an annotation beside it.
//!
//! The format is that of cosign's `SIGNATURE_SPEC.md`, and of "containers/image: atomic signature".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{claim::Claim, media_type::VERSION};
use crate::function::Digest;

/// What the member `type` says.
const TYPE: &str = "cosign container image signature";

#[derive(Serialize, Deserialize)]
struct Payload {
    critical: Critical,
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    #[serde(rename = "docker-reference")]
    docker_reference: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    docker_manifest_digest: Digest,
}

/// The text that is signed.
pub(super) fn payload(claim: &Claim) -> Result<Vec<u8>, serde_json::Error> {
    let Claim { name, manifest, version } = claim.clone();
    let optional = version.map(|version| BTreeMap::from([(VERSION.to_owned(), version.to_string().into())]));
    let (identity, image) = (Identity { docker_reference: name }, Image { docker_manifest_digest: manifest });
    serde_json::to_vec(&Payload { critical: Critical { identity, image, kind: TYPE.to_owned() }, optional })
}

/// What a signed text says.
pub(super) fn claim(payload: &[u8]) -> Result<Claim, String> {
    let Payload { critical, optional } = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    let Critical { identity, image, kind } = critical;
    if kind != TYPE {
        return Err(format!("its type is {kind:?}, expected {TYPE:?}"));
    }
    let version = optional.and_then(|optional| optional.get(VERSION)?.as_str()?.parse().ok());
    Ok(Claim { name: identity.docker_reference, manifest: image.docker_manifest_digest, version })
}
