//! One call, as text that a fuzzer changes.
//!
//! ```text
//! POST echo /a/b?x=1
//! content-type: text/plain
//!
//! the body
//! ```

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// A call of a function: a request, and the parts of it that other frontends have too.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) function: &'static str,
    pub(crate) uri: Uri,
    /// The header fields of the caller: each name once, with a value that every gateway passes on as it is.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// Reads a call of one of `functions`; `None` if the text is none.
    pub(crate) fn read(input: &[u8], functions: &[&'static str]) -> Option<Self> {
        let (head, body) = split(input, b"\n\n").unwrap_or((input, b""));
        let mut lines = str::from_utf8(head).ok()?.lines();
        let mut words = lines.next()?.splitn(3, ' ');
        let method = words.next()?.parse().ok()?;
        let name = words.next()?;
        let function = *functions.iter().find(|function| **function == name)?;
        let uri = format!("/api/{function}{}", words.next().unwrap_or_default()).parse().ok()?;
        Some(Self { method, function, uri, headers: lines.filter_map(field).collect(), body: body.to_vec() })
    }
}

fn split<'a>(input: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = input.windows(delimiter.len()).position(|window| window == delimiter)?;
    Some((input.get(..at)?, input.get(at + delimiter.len()..)?))
}

/// A header field that is the caller's own. Servers and gateways set, join or take out the others.
fn field(line: &str) -> Option<(HeaderName, HeaderValue)> {
    const OF_GATEWAYS: [&str; 14] = [
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    const PREFIXES: [&str; 3] = ["proxy-", "x-amz", "x-forwarded-"];

    let (name, value) = line.split_once(':')?;
    let name: HeaderName = name.trim().parse().ok()?;
    let is_of_gateways =
        OF_GATEWAYS.contains(&name.as_str()) || PREFIXES.iter().any(|it| name.as_str().starts_with(it));
    let value = value.trim().parse::<HeaderValue>().ok().filter(|value| value.to_str().is_ok())?;
    (!is_of_gateways).then_some((name, value))
}
