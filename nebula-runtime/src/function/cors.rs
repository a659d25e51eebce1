//! Which pages of other origins may call a function from a browser.

use std::{fmt, str::FromStr, time::Duration};

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::text::quoted;

/// Which pages of other origins may call a function from a browser (Fetch standard, CORS protocol).
///
/// - Without origins, no page may.
/// - It is for functions that do not see the HTTP request: an HTTP handler answers for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
#[non_exhaustive]
pub struct Cors {
    /// The origins of the pages.
    pub origins: Vec<OriginPattern>,
    /// The header fields that the pages may send. If there are none, the pages may send any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The header fields of answers that the pages may read, besides those that every page may read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// Whether the pages may send cookies. They may not if any origin is allowed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub credentials: bool,
    /// How long a browser may remember what is allowed. If not set, the browser decides.
    #[serde(skip_serializing_if = "Option::is_none", with = "humantime_serde")]
    pub max_age: Option<Duration>,
}

impl Cors {
    /// Lets the pages of these origins call a function.
    pub fn new(origins: Vec<OriginPattern>) -> Self {
        Self { origins, ..Self::default() }
    }

    /// Whether a page of `origin` may call the function.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|pattern| pattern.matches(origin))
    }

    /// Whether pages of any origin may call the function.
    pub fn allows_any(&self) -> bool {
        self.origins.contains(&OriginPattern(Pattern::Any))
    }
}

/// [`Cors`] as it is written, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    origins: Vec<OriginPattern>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    expose: Vec<String>,
    #[serde(default)]
    credentials: bool,
    #[serde(default, with = "humantime_serde")]
    max_age: Option<Duration>,
}

impl TryFrom<Written> for Cors {
    type Error = String;

    fn try_from(Written { origins, headers, expose, credentials, max_age }: Written) -> Result<Self, String> {
        if let Some(name) = headers.iter().chain(&expose).find(|name| name.parse::<HeaderName>().is_err()) {
            return Err(format!("{} is not the name of a header field", quoted(name)));
        }
        let cors = Self { origins, headers, expose, credentials, max_age };
        if credentials && cors.allows_any() {
            return Err(
                "with credentials, the origins must be named: \"*\" would let every page act as its user".to_owned()
            );
        }
        Ok(cors)
    }
}

/// The origin of a page, or several: `https://shop.example.com`, `http://localhost:3000`, `https://*.example.com` for
/// all names below it, or `*` for any origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginPattern(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Any,
    Exact(Box<str>),
    /// What is before and after the names: `https://` and `.example.com`.
    Below(Box<str>, Box<str>),
}

/// A text that is not an [`OriginPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid origin {0}: expected a scheme and a host without a path, such as \"https://shop.example.com\", \
     \"https://*.example.com\" or \"*\""
)]
pub struct InvalidOrigin(String);

impl OriginPattern {
    fn matches(&self, origin: &str) -> bool {
        match &self.0 {
            Pattern::Any => true,
            Pattern::Exact(own) => origin == &**own,
            Pattern::Below(start, end) => origin
                .strip_prefix(&**start)
                .and_then(|rest| rest.strip_suffix(&**end))
                .is_some_and(|name| !name.is_empty() && name.bytes().all(is_of_name)),
        }
    }
}

/// Whether a byte can be in a host's name, as browsers write names in origins.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_')
}

impl FromStr for OriginPattern {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin(quoted(text));
        if text == "*" {
            return Ok(Self(Pattern::Any));
        }
        let origin = text.to_ascii_lowercase();
        let (scheme, host) = origin.split_once("://").ok_or_else(invalid)?;
        let below = host.strip_prefix("*.");
        let authority = below.unwrap_or(host).parse::<http::uri::Authority>().map_err(|_| invalid())?;
        let is_host = authority.as_str() == below.unwrap_or(host) && !host.contains('@') && !host.ends_with(':');
        if !is_host || scheme.parse::<http::uri::Scheme>().is_err() || authority.host().contains('*') {
            return Err(invalid());
        }
        Ok(Self(match below {
            Some(below) => Pattern::Below(format!("{scheme}://").into(), format!(".{below}").into()),
            None => Pattern::Exact(origin.into()),
        }))
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::Exact(origin) => f.write_str(origin),
            Pattern::Below(start, end) => write!(f, "{start}*{end}"),
        }
    }
}

impl TryFrom<String> for OriginPattern {
    type Error = InvalidOrigin;

    fn try_from(text: String) -> Result<Self, InvalidOrigin> {
        text.parse()
    }
}

impl From<OriginPattern> for String {
    fn from(origin: OriginPattern) -> Self {
        origin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_origins_that_it_names() {
        let cases = [
            ("*", "https://a.test", true),
            ("*", "null", true),
            ("https://a.test", "https://a.test", true),
            ("HTTPS://A.test", "https://a.test", true),
            ("https://a.test", "http://a.test", false),
            ("https://a.test", "https://a.test:8443", false),
            ("https://a.test", "https://a.test.evil", false),
            ("http://localhost:3000", "http://localhost:3000", true),
            ("http://[::1]:3000", "http://[::1]:3000", true),
            ("https://*.a.test", "https://b.a.test", true),
            ("https://*.a.test", "https://c.b.a.test", true),
            ("https://*.a.test", "https://a.test", false),
            ("https://*.a.test", "https://.a.test", false),
            ("https://*.a.test", "https://evil/b.a.test", false),
            ("https://*.a.test", "https://not-a.test", false),
            ("https://*.a.test:8443", "https://b.a.test:8443", true),
            ("app://shop", "app://shop", true),
        ];
        for (pattern, origin, expected) in cases {
            assert_eq!(pattern.parse::<OriginPattern>().unwrap().matches(origin), expected, "{pattern} {origin}");
        }
    }

    #[test]
    fn settings_that_no_browser_accepts_are_refused() {
        let cases = [
            (r#"{"origins":["*"],"credentials":true}"#, "with credentials, the origins must be named"),
            (r#"{"origins":["*"],"headers":["a b"]}"#, "\"a b\" is not the name of a header field"),
            (r#"{"origins":["*"],"expose":[""]}"#, "\"\" is not the name of a header field"),
            ("{}", "missing field `origins`"),
        ];
        for (written, expected) in cases {
            let error = serde_json::from_str::<Cors>(written).unwrap_err().to_string();
            assert!(error.contains(expected), "{written}: {error}");
        }
    }

    #[test]
    fn a_text_that_is_not_an_origin_is_refused() {
        for text in ["", "a.test", "https://", "https://a.test/", "https://a.test/b", "https://u@a.test", "null"] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
        for text in ["https://*", "https://a.*.test", "https://*a.test", "https://a.test:", "https://a b", "*.a.test"] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }
}
