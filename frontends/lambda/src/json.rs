//! The headers and the body of an answer, in a form that fits into JSON.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_LENGTH, SET_COOKIE},
};
use lambda_http::Body;
use nebula_runtime::{ErrorKind, InvokeError};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// A value as JSON. The values of this crate cannot fail.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Box<RawValue>, InvokeError> {
    to_raw_value(value)
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to write the answer as JSON").with_source(error))
}

/// A body, and whether it is encoded in base64. Text is not encoded: an API without configured binary media types would
/// pass the base64 on.
pub(crate) fn text_or_octets(body: Bytes) -> (Option<Body>, bool) {
    match String::from_utf8(body.into()) {
        Ok(text) if text.is_empty() => (None, false),
        Ok(text) => (Some(Body::Text(text)), false),
        Err(octets) => (Some(Body::Binary(octets.into_bytes())), true),
    }
}

/// Splits headers into the `set-cookie` values and all others.
pub(crate) fn without_cookies(mut headers: HeaderMap) -> (HeaderMap, Vec<String>) {
    let cookies = headers.get_all(SET_COOKIE).iter().map(text).collect();
    headers.remove(SET_COOKIE);
    (headers, cookies)
}

/// Headers that fit into JSON: each name once (RFC 9110, section 5.3), except for cookies, and in UTF-8. The sender
/// sets the length.
pub(crate) fn fit_for_json(headers: HeaderMap) -> HeaderMap {
    let mut fit = HeaderMap::with_capacity(headers.len());
    for name in headers.keys().filter(|name| **name != CONTENT_LENGTH) {
        let values: Vec<_> = headers.get_all(name).iter().map(text).collect();
        if *name == SET_COOKIE {
            values.iter().for_each(|value| append(&mut fit, name, value));
        } else {
            append(&mut fit, name, &values.join(", "));
        }
    }
    fit
}

/// A header's value as text. A value that is not UTF-8 is read as ISO-8859-1 (RFC 9110, section 5.5), in which every
/// octet is a character.
pub(crate) fn text(value: &HeaderValue) -> String {
    let octets = value.as_bytes();
    str::from_utf8(octets).map_or_else(|_| octets.iter().copied().map(char::from).collect(), str::to_owned)
}

fn append(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    // It was the value of a header, and no control character was added.
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(bytes: &'static [u8]) -> (Option<Body>, bool) {
        text_or_octets(Bytes::from_static(bytes))
    }

    #[test]
    fn a_body_is_text_if_it_is_utf_8() {
        assert_eq!(body(b""), (None, false));
        assert_eq!(body("ü".as_bytes()), (Some(Body::Text("ü".to_owned())), false));
        assert_eq!(body(b"\xff\0"), (Some(Body::Binary(vec![0xff, 0])), true));
    }

    #[test]
    fn repeated_headers_are_joined_except_for_cookies() {
        let fields: [(&'static str, &[u8]); 6] = [
            ("vary", b"a"),
            ("set-cookie", b"a=1"),
            ("vary", b"b"),
            ("set-cookie", b"b=2"),
            ("content-length", b"3"),
            ("x-latin", b"\xfc \x80"),
        ];
        let fields =
            fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()));
        let fit = fit_for_json(HeaderMap::from_iter(fields));
        let mut fit: Vec<_> = fit.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        fit.sort();
        let expected = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("vary", "a, b"), ("x-latin", "ü \u{80}")];
        assert_eq!(fit, expected.map(|(name, value)| (name, value.to_owned())));
    }
}
