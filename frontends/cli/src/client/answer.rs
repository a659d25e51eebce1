//! The answer of a server.

use http::StatusCode;
use nebula_runtime::{RegistryError, RegistryErrorKind};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{error::ServerError, url::ServerUrl};

/// The body of an answer that is no success (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    /// Problems of the admin API have a kind. Others, such as those of the listener that serves functions, need not.
    kind: Value,
    #[serde(default)]
    detail: String,
}

/// The value in an answer.
///
/// # Errors
/// The answer is no success, or is not one of the admin API.
pub(super) fn read<T: DeserializeOwned>(url: &ServerUrl, status: StatusCode, body: &[u8]) -> Result<T, ServerError> {
    if !status.is_success() {
        return Err(refusal(url.clone(), status, body));
    }
    serde_json::from_slice(body).map_err(|source| match serde_json::from_slice::<Value>(body) {
        Ok(_) => ServerError::Answer { url: url.clone(), source },
        Err(_) => ServerError::NotAdminApi { url: url.clone(), status },
    })
}

/// Why an answer is no success.
pub(super) fn refusal(url: ServerUrl, status: StatusCode, body: &[u8]) -> ServerError {
    let problem = serde_json::from_slice(body);
    if status == StatusCode::UNAUTHORIZED {
        let detail = problem.map_or_else(|_| status.to_string(), |Problem { detail, .. }| detail);
        return ServerError::Unauthorized { url, detail };
    }
    match problem {
        Ok(Problem { kind, detail }) => match RegistryErrorKind::deserialize(kind) {
            Ok(kind) => ServerError::Registry(RegistryError::new(kind, detail)),
            Err(_) => ServerError::Refused { url, status, detail },
        },
        Err(_) if status.is_server_error() => ServerError::Gateway { url, status },
        Err(_) => ServerError::NotAdminApi { url, status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str) -> ServerError {
        let url = "https://example.com".parse().unwrap();
        read::<u32>(&url, StatusCode::from_u16(status).unwrap(), body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_problem_of_the_servers_runtime_is_the_error_of_a_runtime() {
        for kind in ["not_found", "invalid", "conflict", "forbidden", "unavailable", "internal"] {
            let body = format!(r#"{{"type":"about:blank","title":"T","status":404,"detail":"why","kind":"{kind}"}}"#);
            match failure(404, &body) {
                ServerError::Registry(error) => assert_eq!((error.kind().as_str(), error.detail()), (kind, "why")),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn every_other_answer_says_what_to_do() {
        let html = "<html><title>404</title></html>";
        let without_kind = r#"{"type":"about:blank","status":404,"detail":"there is nothing at /functions"}"#;
        let cases = [
            (401, html, "lets nobody in with NEBULA_TOKEN: 401 Unauthorized; nebula token create NAME"),
            (
                401,
                r#"{"kind":"unauthorized","detail":"it has expired"}"#,
                "NEBULA_TOKEN: it has expired; nebula token create NAME",
            ),
            (
                413,
                r#"{"kind":"too_large","detail":"at most 64 MiB"}"#,
                "refused the request (413 Payload Too Large): at most 64 MiB",
            ),
            (404, html, "does not answer as the admin API of Nebula: status 404 Not Found; name the address"),
            (404, without_kind, "does not answer as the admin API of Nebula"),
            (302, "", "does not answer as the admin API of Nebula"),
            (502, html, "is out of reach for the proxy or gateway before it: status 502 Bad Gateway"),
            (200, html, "does not answer as the admin API of Nebula: status 200 OK"),
            (200, r#"{"of": "another version"}"#, "is it of another version of Nebula?"),
        ];
        for (status, body, expected) in cases {
            let failure = failure(status, body).to_string();
            assert!(failure.starts_with("the server https://example.com") || failure.contains("https://example.com"));
            assert!(failure.contains(expected), "{status} {body}: {failure}");
        }
    }
}
