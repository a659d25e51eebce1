//! Results as JSON values, for frontends that answer in lines.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::HeaderValue;
use serde_json::value::RawValue;

/// Appends a result as one JSON value without a line end: its JSON compacted, other text as a JSON string, octets as a
/// base64 string. The media type decides which. Where the bytes do not fit it, invalid JSON becomes a string of its
/// text, and bytes that are not UTF-8 become base64. An empty result that is not text becomes `null`.
pub fn append_json_value(buffer: &mut Vec<u8>, media_type: Option<&HeaderValue>, body: &[u8]) {
    match (form(media_type), std::str::from_utf8(body)) {
        (Form::Json | Form::Octets, Ok("")) => buffer.extend_from_slice(b"null"),
        (Form::Json, Ok(text)) => match serde_json::from_str::<&RawValue>(text) {
            Ok(json) => append_compact(buffer, json.get().as_bytes()),
            Err(_) => append_string(buffer, text),
        },
        (Form::Text, Ok(text)) => append_string(buffer, text),
        (Form::Octets, _) | (_, Err(_)) => append_string(buffer, &STANDARD.encode(body)),
    }
}

/// Whether a result of this media type is text, JSON among it.
#[must_use]
pub fn is_text(media_type: Option<&HeaderValue>) -> bool {
    matches!(form(media_type), Form::Json | Form::Text)
}

/// What a result's media type says of its bytes.
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

/// JSON without the white space between its tokens. Not by way of a value: that would change numbers.
fn append_compact(buffer: &mut Vec<u8>, json: &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if !json.iter().any(is_space) {
        return buffer.extend_from_slice(json);
    }
    let (mut quoted, mut escaped) = (false, false);
    for byte in json {
        if quoted || !is_space(byte) {
            buffer.push(*byte);
        }
        quoted ^= *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
    }
}

fn append_string(buffer: &mut Vec<u8>, text: &str) {
    let start = buffer.len();
    if serde_json::to_writer(&mut *buffer, text).is_err() {
        // Neither a text nor memory can fail; the value stays JSON if they ever do.
        buffer.truncate(start);
        buffer.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(media_type: &'static str, body: &[u8]) -> String {
        let media_type = (!media_type.is_empty()).then(|| HeaderValue::from_static(media_type));
        let mut value = Vec::new();
        append_json_value(&mut value, media_type.as_ref(), body);
        String::from_utf8(value).unwrap()
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
            assert_eq!(value(media_type, body), *expected, "{media_type}");
        }
    }
}
