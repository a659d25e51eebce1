//! Where the sender of an upload says that the module came from.

use nebula_runtime::{Digest, Origin};
use serde::Deserialize;

use crate::problem::{Kind, Problem};

/// How long a reference may be.
const MAX_REFERENCE: usize = 1_000;

/// An origin as it is sent. It cannot say who has signed the artifact: the server has not seen that signature.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    reference: String,
    digest: Digest,
}

/// The origin in a part of an upload.
///
/// # Errors
/// It cannot be understood, or names no artifact of a registry.
pub(crate) fn read(json: &[u8]) -> Result<Origin, Problem> {
    let invalid = |why: String| Problem::new(Kind::Invalid, format!("the origin cannot be understood: {why}"));
    let Sent { reference, digest } = serde_json::from_slice(json).map_err(|error| invalid(error.to_string()))?;
    let is_plain = reference.len() <= MAX_REFERENCE && reference.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !reference.starts_with("oci://") {
        return Err(invalid("the reference is not of the form oci://REGISTRY/REPOSITORY:TAG".to_owned()));
    }
    Ok(Origin::new(reference, digest, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_names_an_artifact_and_no_signature() {
        let digest = Digest::of(b"");
        let with = |rest: &str| format!(r#"{{"reference":"oci://r.example.com/shop:1","digest":"{digest}"{rest}}}"#);
        let origin = Origin::new("oci://r.example.com/shop:1", digest, None);
        assert_eq!(read(with("").as_bytes()), Ok(origin));
        let cases = [
            (with(r#","signed_by":"team.pub""#), "unknown field `signed_by`"),
            (r#"{"reference":"oci://r.example.com/shop:1"}"#.to_owned(), "missing field `digest`"),
            (with("").replace("oci://", "https://"), "not of the form oci://"),
            (with("").replace("shop:1", "shop 1"), "not of the form oci://"),
            (with("").replace("shop", &"s".repeat(MAX_REFERENCE)), "not of the form oci://"),
        ];
        for (json, expected) in cases {
            let refused = read(json.as_bytes()).unwrap_err();
            assert!(refused.kind() == Kind::Invalid && refused.detail().contains(expected), "{json}: {refused:?}");
        }
    }
}
