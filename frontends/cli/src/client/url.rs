//! The address of a server.

use std::{fmt, net::IpAddr, str::FromStr};

use reqwest::Url;

/// The address of a server's admin API: `https://functions.example.com`, or `http://127.0.0.1:8081`.
///
/// - Its scheme is `https`, because each request carries the token. It may be `http` if the host is this machine.
/// - It has a host, and no user, query or fragment. Its path goes before the paths of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl(Url);

/// A text that is not the address of a server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidServerUrl {
    #[error("expected an address such as https://functions.example.com or http://127.0.0.1:8081")]
    NotUrl,
    #[error("the address of a server begins with https://; name a store with --store")]
    Scheme,
    #[error(
        "http:// would send the token unencrypted over the network: use https://, or http:// for this machine only \
         (127.0.0.1, [::1] or localhost)"
    )]
    Unencrypted,
    #[error("the address of a server has no user, query or fragment; the token belongs into NEBULA_TOKEN")]
    Parts,
}

impl ServerUrl {
    /// The address of a path of the API.
    pub(super) fn join(&self, path: &[String], query: &[(&str, String)]) -> Url {
        let mut url = self.0.clone();
        // An address with a host always has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Whether requests are sent without TLS, to this machine.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidServerUrl;

    fn from_str(text: &str) -> Result<Self, InvalidServerUrl> {
        // `localhost:8081` alone would be an address of the scheme `localhost`.
        let url = Some(text).filter(|text| text.contains("://")).and_then(|text| Url::parse(text).ok());
        let url = url.ok_or(InvalidServerUrl::NotUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if is_this_machine(&url) => {}
            "http" => return Err(InvalidServerUrl::Unencrypted),
            _ => return Err(InvalidServerUrl::Scheme),
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidServerUrl::Parts);
        }
        Ok(Self(url))
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encrypted_or_of_this_machine() {
        let cases = [
            ("https://functions.example.com", Ok("https://functions.example.com")),
            ("https://example.com:8443/nebula/", Ok("https://example.com:8443/nebula")),
            ("http://127.0.0.1:8081", Ok("http://127.0.0.1:8081")),
            ("http://127.9.9.9/", Ok("http://127.9.9.9")),
            ("http://[::1]:8081", Ok("http://[::1]:8081")),
            ("http://localhost:8081", Ok("http://localhost:8081")),
            ("http://example.com", Err(InvalidServerUrl::Unencrypted)),
            ("http://localhost.example.com", Err(InvalidServerUrl::Unencrypted)),
            ("http://0.0.0.0:8081", Err(InvalidServerUrl::Unencrypted)),
            ("http://10.0.0.1:8081", Err(InvalidServerUrl::Unencrypted)),
            ("s3://bucket/prefix", Err(InvalidServerUrl::Scheme)),
            ("file:///srv/store", Err(InvalidServerUrl::Scheme)),
            ("127.0.0.1:8081", Err(InvalidServerUrl::NotUrl)),
            ("localhost:8081", Err(InvalidServerUrl::NotUrl)),
            ("https://", Err(InvalidServerUrl::NotUrl)),
            ("", Err(InvalidServerUrl::NotUrl)),
            ("https://ada:secret@example.com", Err(InvalidServerUrl::Parts)),
            ("https://example.com/?token=secret", Err(InvalidServerUrl::Parts)),
            ("https://example.com/#top", Err(InvalidServerUrl::Parts)),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<ServerUrl>().map(|url| url.to_string());
            assert_eq!(parsed, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_path_of_the_api_goes_after_the_path_of_the_address() {
        let path = ["functions", "f", "versions", "sha256:9f"].map(str::to_owned);
        let query = [("after", "a&b".to_owned())];
        for (text, expected) in [
            ("https://example.com", "https://example.com/functions/f/versions/sha256:9f?after=a%26b"),
            ("https://example.com/nebula/", "https://example.com/nebula/functions/f/versions/sha256:9f?after=a%26b"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().join(&path, &query).as_str(), expected);
        }
    }
}
