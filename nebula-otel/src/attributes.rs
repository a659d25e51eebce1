//! Attributes as messages.

use nebula_runtime::{AttributeValue, Attributes};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};

pub(crate) fn attributes(attributes: Attributes) -> Vec<KeyValue> {
    attributes.into_iter().map(|(name, value)| key_value(name.into_owned(), any_value(value))).collect()
}

pub(crate) fn text(name: impl Into<String>, value: impl Into<String>) -> KeyValue {
    key_value(name.into(), AnyValue { value: Some(Value::StringValue(value.into())) })
}

fn key_value(key: String, value: AnyValue) -> KeyValue {
    KeyValue { key, value: Some(value), ..KeyValue::default() }
}

pub(crate) fn any_value(value: AttributeValue) -> AnyValue {
    let value = match value {
        AttributeValue::Text(text) => Value::StringValue(text.into_owned()),
        AttributeValue::Integer(number) => Value::IntValue(number),
        AttributeValue::Float(number) => Value::DoubleValue(number),
        AttributeValue::Bool(value) => Value::BoolValue(value),
        AttributeValue::Bytes(bytes) => Value::BytesValue(bytes),
        AttributeValue::List(values) => {
            Value::ArrayValue(ArrayValue { values: values.into_iter().map(any_value).collect() })
        }
        AttributeValue::Map(values) => {
            let values = values.into_iter().map(|(name, value)| key_value(name, any_value(value))).collect();
            Value::KvlistValue(KeyValueList { values })
        }
        AttributeValue::Null => return AnyValue::default(),
    };
    AnyValue { value: Some(value) }
}

/// The scope of what Nebula itself sends.
pub(crate) fn own_scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "nebula".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}
