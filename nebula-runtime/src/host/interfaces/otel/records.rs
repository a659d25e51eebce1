//! The records of `wasi:otel`, as its WIT has them.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use wasmtime::component::{ComponentType, Lift, Lower, flags};

use crate::call::{AttributeValue, Attributes};

/// What the value of an attribute begins with if it is bytes.
const OCTETS: &str = "data:application/octet-stream;base64,";

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct KeyValue {
    pub(super) key: String,
    /// In JSON.
    pub(super) value: String,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct InstrumentationScope {
    pub(super) name: String,
    pub(super) version: Option<String>,
    #[component(name = "schema-url")]
    pub(super) schema_url: Option<String>,
    pub(super) attributes: Vec<KeyValue>,
}

#[derive(ComponentType, Lift, Clone, Copy)]
#[component(record)]
pub(super) struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

flags! {
    TraceFlags {
        #[component(name = "sampled")]
        const SAMPLED;
    }
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct SpanContextRecord {
    #[component(name = "trace-id")]
    pub(super) trace: String,
    #[component(name = "span-id")]
    pub(super) span: String,
    #[component(name = "trace-flags")]
    pub(super) flags: TraceFlags,
    #[component(name = "is-remote")]
    pub(super) is_remote: bool,
    #[component(name = "trace-state")]
    pub(super) state: Vec<(String, String)>,
}

impl Datetime {
    /// A time that no clock can tell is the beginning of 1970.
    pub(super) fn time(self) -> SystemTime {
        let since = Duration::from_secs(self.seconds).checked_add(Duration::from_nanos(self.nanoseconds.into()));
        since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)).unwrap_or(SystemTime::UNIX_EPOCH)
    }
}

/// The attributes, whose values are in JSON.
pub(super) fn attributes(attributes: Vec<KeyValue>) -> Attributes {
    attributes.into_iter().map(|KeyValue { key, value }| (key.into(), self::value(value))).collect()
}

/// How large the attributes are, about.
pub(super) fn size(attributes: &[KeyValue]) -> usize {
    attributes.iter().map(|attribute| attribute.key.len() + attribute.value.len()).sum()
}

/// A value in JSON. What is no JSON is a text.
pub(super) fn value(text: String) -> AttributeValue {
    match serde_json::from_str(&text) {
        Ok(value) => of_json(value),
        Err(_) => text.into(),
    }
}

fn of_json(value: serde_json::Value) -> AttributeValue {
    match value {
        serde_json::Value::Null => AttributeValue::Null,
        serde_json::Value::Bool(value) => value.into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => AttributeValue::Integer(whole),
            None => AttributeValue::Float(number.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => match text.strip_prefix(OCTETS).map(|octets| STANDARD.decode(octets)) {
            Some(Ok(bytes)) => AttributeValue::Bytes(bytes),
            Some(Err(_)) | None => text.into(),
        },
        serde_json::Value::Array(values) => AttributeValue::List(values.into_iter().map(of_json).collect()),
        serde_json::Value::Object(values) => {
            AttributeValue::Map(values.into_iter().map(|(name, value)| (name, of_json(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_json() {
        let cases = [
            ("1", AttributeValue::Integer(1)),
            ("1.5", AttributeValue::Float(1.5)),
            ("true", AttributeValue::Bool(true)),
            ("\"a\"", AttributeValue::Text("a".into())),
            ("[1,\"a\"]", AttributeValue::List(vec![AttributeValue::Integer(1), AttributeValue::Text("a".into())])),
            ("\"data:application/octet-stream;base64,AQI=\"", AttributeValue::Bytes(vec![1, 2])),
            ("no JSON", AttributeValue::Text("no JSON".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text.to_owned()), expected, "{text}");
        }
    }
}
