//! Results and failures as JSON lines.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use nebula_runtime::{ErrorKind, InvokeError, Report};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::call::Whole;

/// A result as a line: its JSON compacted, other text as a JSON string, octets as a base64 string.
pub(crate) fn value_line(media_type: Option<&HeaderValue>, body: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(body.len() + 1);
    append_value(&mut line, media_type, body);
    line.push(b'\n');
    line
}

/// A whole response as a line.
pub(crate) fn full_line(whole: &Whole, report: &Report) -> Vec<u8> {
    let mut value = Vec::new();
    append_value(&mut value, whole.headers.get(CONTENT_TYPE), &whole.body);
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
    /// What a typed function returned as its error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

/// A header's value, or all of them where it is repeated.
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

/// What a result's media type says about its bytes.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Json,
    Text,
    Octets,
}

fn form(media_type: Option<&HeaderValue>) -> Form {
    let text = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Form::Json,
        "application/javascript" | "application/x-www-form-urlencoded" | "application/xml" => Form::Text,
        // Structured syntax suffixes: RFC 6839.
        other if other.ends_with("+json") => Form::Json,
        other if other.starts_with("text/") || other.ends_with("+xml") => Form::Text,
        _ => Form::Octets,
    }
}

/// A body as a JSON value. One that is not what its media type says stands as the next best thing.
fn append_value(line: &mut Vec<u8>, media_type: Option<&HeaderValue>, body: &[u8]) {
    match (form(media_type), std::str::from_utf8(body)) {
        (Form::Json | Form::Octets, Ok("")) => line.extend_from_slice(b"null"),
        (Form::Json, Ok(text)) => match serde_json::from_str::<&RawValue>(text) {
            Ok(json) => append_compact(line, json.get().as_bytes()),
            Err(_) => append_json(line, text),
        },
        (Form::Text, Ok(text)) => append_json(line, text),
        (Form::Octets, _) | (_, Err(_)) => append_json(line, &STANDARD.encode(body)),
    }
}

/// JSON without the white space between its tokens. Not by way of a value: that would change numbers.
fn append_compact(line: &mut Vec<u8>, json: &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if !json.iter().any(is_space) {
        return line.extend_from_slice(json);
    }
    let (mut quoted, mut escaped) = (false, false);
    for byte in json {
        if quoted || !is_space(byte) {
            line.push(*byte);
        }
        quoted ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
    }
}

fn append_json(line: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let start = line.len();
    if serde_json::to_writer(&mut *line, value).is_err() {
        // Neither these types nor memory can fail; the line stays JSON if they ever do.
        line.truncate(start);
        line.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(media_type: &'static str, body: &[u8]) -> String {
        let media_type = (!media_type.is_empty()).then(|| HeaderValue::from_static(media_type));
        String::from_utf8(value_line(media_type.as_ref(), body)).unwrap()
    }

    #[test]
    fn a_result_is_one_line_of_json_whatever_its_media_type() {
        let cases: &[(&str, &[u8], &str)] = &[
            ("application/json", b"10", "10"),
            ("application/json", b" {\n  \"a b\": [1, \"\\\" \\\\\", 1e400]\r\n}\n", r#"{"a b":[1,"\" \\",1e400]}"#),
            ("Application/JSON; charset=utf-8", b"[ ]", "[]"),
            ("application/problem+json", b"{ }", "{}"),
            ("application/json", b"not json", r#""not json""#),
            ("application/json", b"", "null"),
            ("text/plain; charset=utf-8", "zwei\nZeilen ü".as_bytes(), r#""zwei\nZeilen ü""#),
            ("text/plain", b"", r#""""#),
            ("text/plain", b"\xff\xfe", r#""//4=""#),
            ("image/svg+xml", b"<svg/>", r#""<svg/>""#),
            ("image/png", b"\x89PNG", r#""iVBORw==""#),
            ("application/octet-stream", b"abc", r#""YWJj""#),
            ("", b"abc", r#""YWJj""#),
            ("", b"", "null"),
        ];
        for (media_type, body, expected) in cases {
            assert_eq!(value(media_type, body), format!("{expected}\n"), "{media_type}");
        }
    }

    #[test]
    fn repeated_headers_are_lists() {
        let mut map = HeaderMap::new();
        map.insert("a", HeaderValue::from_static("1"));
        map.append("b", HeaderValue::from_static("2"));
        map.append("b", HeaderValue::from_static("3"));
        assert_eq!(serde_json::to_string(&headers(&map)).unwrap(), r#"{"a":"1","b":["2","3"]}"#);
    }

    #[test]
    fn a_failure_is_an_object_of_its_kind_and_detail() {
        let error = InvokeError::new(ErrorKind::GuestFault, "it \"trapped\"");
        let line = String::from_utf8(error_line(&error, None)).unwrap();
        assert_eq!(line, "{\"error\":{\"kind\":\"guest_fault\",\"detail\":\"it \\\"trapped\\\"\"}}\n");
    }

    #[test]
    fn a_failure_says_what_the_function_returned() {
        let returned = RawValue::from_string(r#"["sold out"]"#.to_owned()).unwrap();
        let error = InvokeError::new(ErrorKind::GuestError, "x").with_guest_error(returned);
        let line = String::from_utf8(error_line(&error, None)).unwrap();
        assert_eq!(line, "{\"error\":{\"kind\":\"guest_error\",\"detail\":\"x\",\"error\":[\"sold out\"]}}\n");
    }
}
