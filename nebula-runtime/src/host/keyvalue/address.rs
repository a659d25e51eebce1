//! The address in the URL of a service.

use http::Uri;
use percent_encoding::percent_decode_str;

use super::invalid_url::InvalidKeyValueUrl;

/// The parts of a URL such as `redis://USER:PASSWORD@HOST:PORT/PATH?prefix=PREFIX`.
///
/// - The host is not empty.
/// - It may have a password, so that it is not printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) is_tls: bool,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) host: String,
    pub(super) port: u16,
    /// What stands after the first slash.
    pub(super) path: String,
    /// What each key begins with.
    pub(super) prefix: String,
}

impl Address {
    /// Reads a URL. `expected` says how it should look.
    pub(super) fn parse(text: &str, port: u16, expected: &'static str) -> Result<Self, InvalidKeyValueUrl> {
        let invalid = || InvalidKeyValueUrl::Malformed { expected };
        // What follows a fragment's mark would be left out without a word.
        let uri: Uri =
            Some(text).filter(|text| !text.contains('#')).and_then(|text| text.parse().ok()).ok_or_else(invalid)?;
        let authority = uri.authority().ok_or_else(invalid)?;
        let host = authority.host().to_owned();
        let digits =
            authority.as_str().rsplit_once(':').map(|(_, digits)| digits).filter(|digits| !digits.ends_with(']'));
        let has_port = digits.is_some_and(|digits| !digits.contains('@'));
        if host.is_empty() || (has_port && authority.port_u16().is_none()) {
            return Err(invalid());
        }
        let (user, password) = credentials(authority.as_str()).ok_or_else(invalid)?;
        let prefix = match uri.query() {
            None => String::new(),
            Some(query) => query.strip_prefix("prefix=").and_then(decoded).ok_or_else(invalid)?,
        };
        let path = decoded(uri.path().trim_matches('/')).ok_or_else(invalid)?;
        let is_tls = matches!(uri.scheme_str(), Some("rediss" | "tls"));
        Ok(Self { is_tls, user, password, host, port: authority.port_u16().unwrap_or(port), path, prefix })
    }
}

/// The user and the password before the host.
fn credentials(authority: &str) -> Option<(Option<String>, Option<String>)> {
    let Some((credentials, _)) = authority.rsplit_once('@') else { return Some((None, None)) };
    let (user, password) = match credentials.split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (credentials, None),
    };
    let user = decoded(user)?;
    Some((Some(user).filter(|user| !user.is_empty()), password))
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}
