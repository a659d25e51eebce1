//! The digest of a request's body (RFC 9530, "Digest Fields").

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName};
use nebula_runtime::Digest;
use sha2::{Digest as _, Sha256};

use crate::problem::{Kind, Problem};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Checks the SHA-256 of a body, if the header says what it should be. Other algorithms are ignored (section 2).
///
/// # Errors
/// The body has another digest, or the header cannot be read.
pub(crate) fn check(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let mut digest = ContentDigest::of(headers)?;
    digest.update(body);
    digest.check()
}

/// The SHA-256 that a body should have, if the header says it, and the one that it has so far.
pub(crate) struct ContentDigest(Option<(Vec<u8>, Sha256)>);

impl ContentDigest {
    /// The digest in the header.
    ///
    /// # Errors
    /// The header cannot be read.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self(expected(headers)?.map(|expected| (expected, Sha256::new()))))
    }

    /// The next bytes of the body.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.iter_mut().for_each(|(_, found)| found.update(bytes));
    }

    /// Checks the digest at the end of the body.
    ///
    /// # Errors
    /// The body has another digest.
    pub(crate) fn check(&mut self) -> Result<(), Problem> {
        let Some((expected, found)) = self.0.take() else { return Ok(()) };
        let found = Digest::from(<[u8; 32]>::from(found.finalize()));
        if found.as_bytes().as_slice() == expected {
            return Ok(());
        }
        let detail =
            format!("the body is not what was sent: it has the digest {found}, and Content-Digest another one");
        Err(Problem::new(Kind::Malformed, detail))
    }
}

/// The bytes of the SHA-256 that the header names: `sha-256=:BASE64:`, in a list.
fn expected(headers: &HeaderMap) -> Result<Option<Vec<u8>>, Problem> {
    let malformed = || Problem::new(Kind::Malformed, "Content-Digest cannot be read: expected sha-256=:BASE64:");
    let mut expected = None;
    for line in headers.get_all(CONTENT_DIGEST) {
        for member in line.to_str().map_err(|_| malformed())?.split(',') {
            let Some((name, value)) = member.trim().split_once('=') else { return Err(malformed()) };
            if name == "sha-256" {
                let encoded =
                    value.strip_prefix(':').and_then(|value| value.strip_suffix(':')).ok_or_else(malformed)?;
                expected = Some(BASE64_STANDARD.decode(encoded).map_err(|_| malformed())?);
            }
        }
    }
    Ok(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of `{"hello": "world"}` and a line feed, from RFC 9530, appendix B.1.
    const OF_EXAMPLE: &str = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";

    #[test]
    fn a_digest_of_sha_256_is_checked_and_others_are_ignored() {
        let body = b"{\"hello\": \"world\"}\n";
        let other = OF_EXAMPLE.replace("RK/0", "RK/1");
        let cases = [
            (None, true),
            (Some(OF_EXAMPLE.to_owned()), true),
            (Some(format!("sha-512=:AAAA:, {OF_EXAMPLE}")), true),
            (Some("sha-512=:AAAA:".to_owned()), true),
            (Some(other), false),
            (Some("sha-256=:AAAA:".to_owned()), false),
            (Some("sha-256=AAAA".to_owned()), false),
            (Some("sha-256=:?:".to_owned()), false),
            (Some("sha-256".to_owned()), false),
        ];
        for (field, is_fine) in cases {
            let mut headers = HeaderMap::new();
            field.iter().for_each(|field| drop(headers.insert(CONTENT_DIGEST, field.parse().unwrap())));
            assert_eq!(check(&headers, body).is_ok(), is_fine, "{field:?}");
        }
    }
}
