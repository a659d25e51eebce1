//! The address of a server's metrics.

use std::{fmt, path::PathBuf, str::FromStr};

use reqwest::Url;

/// The address of a server that shows metrics.
///
/// - `http://HOST:PORT` or `https://HOST`, whose path goes before `/metrics`.
/// - `HOST:PORT`, `:PORT` and `PORT` stand for `http://`, the last two on this machine.
/// - `unix:PATH` is a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MetricsAddress {
    Url(Url),
    Socket(PathBuf),
}

/// A text that is not the address of a server.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an address such as http://127.0.0.1:8080, https://functions.example.com, 127.0.0.1:8080 or unix:PATH"
)]
pub(crate) struct InvalidMetricsAddress;

impl MetricsAddress {
    /// The URL of the metrics. Over a socket, its host is the name that the server sees.
    pub(super) fn metrics(&self) -> String {
        match self {
            Self::Url(url) => format!("{}/metrics", url.as_str().trim_end_matches('/')),
            Self::Socket(_) => "http://localhost/metrics".to_owned(),
        }
    }
}

impl FromStr for MetricsAddress {
    type Err = InvalidMetricsAddress;

    fn from_str(text: &str) -> Result<Self, InvalidMetricsAddress> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(InvalidMetricsAddress) } else { Ok(Self::Socket(path.into())) };
        }
        let whole = match text {
            url if url.contains("://") => url.to_owned(),
            port if port.starts_with(':') => format!("http://127.0.0.1{port}"),
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => format!("http://127.0.0.1:{port}"),
            host => format!("http://{host}"),
        };
        let url = Url::parse(&whole).map_err(|_| InvalidMetricsAddress)?;
        let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
        let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
        if is_http && !has_more && !text.is_empty() { Ok(Self::Url(url)) } else { Err(InvalidMetricsAddress) }
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url.as_str().trim_end_matches('/')),
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_a_host_a_port_or_a_socket() {
        let cases = [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080/metrics"),
            ("https://example.com/nebula/", "https://example.com/nebula", "https://example.com/nebula/metrics"),
            ("10.0.0.5:8080", "http://10.0.0.5:8080", "http://10.0.0.5:8080/metrics"),
            ("localhost", "http://localhost", "http://localhost/metrics"),
            (":9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000/metrics"),
            ("9000", "http://127.0.0.1:9000", "http://127.0.0.1:9000/metrics"),
            ("unix:/run/nebula.sock", "unix:/run/nebula.sock", "http://localhost/metrics"),
        ];
        for (text, shown, url) in cases {
            let address: MetricsAddress = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.metrics().as_str()), (shown, url), "{text}");
        }
        for text in ["", "unix:", "s3://bucket", "http://", "http://ada@example.com", "http://example.com/?a=b"] {
            assert_eq!(text.parse::<MetricsAddress>(), Err(InvalidMetricsAddress), "{text}");
        }
    }
}
