//! Results and failures as lines of JSON.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use nebula_runtime::{ErrorKind, InvokeError, Report, append_json_value};
use serde::Serialize;
use serde_json::value::RawValue;

/// A response whose body has ended.
pub(crate) struct CollectedResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A result as a line: JSON is compacted, other text becomes a JSON string, and octets become a base64 string.
pub(crate) fn value_line(media_type: Option<&HeaderValue>, body: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(body.len() + 1);
    append_json_value(&mut line, media_type, body);
    line.push(b'\n');
    line
}

/// A whole response as a line.
pub(crate) fn full_line(whole: &CollectedResponse, report: &Report) -> Vec<u8> {
    let mut value = Vec::new();
    append_json_value(&mut value, whole.headers.get(CONTENT_TYPE), &whole.body);
    let body = serde_json::from_slice(&value).unwrap_or(RawValue::NULL);
    object_line(&FullResult { status: whole.status.as_u16(), headers: headers(&whole.headers), body, report })
}

/// A failure as a line.
pub(crate) fn error_line(error: &InvokeError, report: Option<&Report>) -> Vec<u8> {
    let error = ErrorObject { kind: error.kind(), detail: error.detail(), error: error.guest_error() };
    object_line(&FullError { error, report })
}

#[derive(Serialize)]
struct FullResult<'a> {
    status: u16,
    headers: BTreeMap<&'a str, HeaderText>,
    body: &'a RawValue,
    report: &'a Report,
}

#[derive(Serialize)]
struct FullError<'a> {
    error: ErrorObject<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a Report>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    kind: ErrorKind,
    detail: &'a str,
    /// The error that a typed function returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

/// The value of a header, or all values of a repeated one.
#[derive(Serialize)]
#[serde(untagged)]
enum HeaderText {
    One(String),
    Several(Vec<String>),
}

fn headers(headers: &HeaderMap) -> BTreeMap<&str, HeaderText> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let entry = |name| {
        let mut values: Vec<_> = headers.get_all(name).iter().map(text).collect();
        match values.pop() {
            Some(one) if values.is_empty() => HeaderText::One(one),
            last => HeaderText::Several(values.into_iter().chain(last).collect()),
        }
    };
    headers.keys().map(|name| (name.as_str(), entry(name))).collect()
}

fn object_line(object: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    append_json(&mut line, object);
    line.push(b'\n');
    line
}

fn append_json(line: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let start = line.len();
    if serde_json::to_writer(&mut *line, value).is_err() {
        // Neither these types nor a buffer in memory can fail. If they ever do, the line is still JSON.
        line.truncate(start);
        line.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_headers_are_lists() {
        let mut map = HeaderMap::new();
        map.insert("a", HeaderValue::from_static("1"));
        map.append("b", HeaderValue::from_static("2"));
        map.append("b", HeaderValue::from_static("3"));
        assert_eq!(serde_json::to_string(&headers(&map)).unwrap(), r#"{"a":"1","b":["2","3"]}"#);
    }

    #[test]
    fn a_failure_is_an_object_with_kind_and_detail() {
        let error = InvokeError::new(ErrorKind::GuestFault, "it \"trapped\"");
        let line = String::from_utf8(error_line(&error, None)).unwrap();
        assert_eq!(line, "{\"error\":{\"kind\":\"guest_fault\",\"detail\":\"it \\\"trapped\\\"\"}}\n");
    }

    #[test]
    fn a_failure_has_the_error_that_the_function_returned() {
        let returned = RawValue::from_string(r#"["sold out"]"#.to_owned()).unwrap();
        let error = InvokeError::new(ErrorKind::GuestError, "x").with_guest_error(returned);
        let line = String::from_utf8(error_line(&error, None)).unwrap();
        assert_eq!(line, "{\"error\":{\"kind\":\"guest_error\",\"detail\":\"x\",\"error\":[\"sold out\"]}}\n");
    }
}
