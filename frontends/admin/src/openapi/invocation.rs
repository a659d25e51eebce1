//! The schema of an invocation.

use serde_json::{Value, json};

use super::parts::{list, moment, named, record, size, text};

/// A report, its place and what the guest logged.
pub(super) fn invocation() -> Value {
    let line = record(&["level", "message"], [("level", text()), ("context", text()), ("message", text())]);
    let mut schema = record(
        &["place", "id", "function", "frontend", "started", "outcome", "start"],
        [
            ("place", size()),
            ("id", text()),
            ("function", text()),
            ("version", json!({"type": ["integer", "null"]})),
            ("digest", json!({"anyOf": [named("Digest"), {"type": "null"}]})),
            ("kind", json!({"type": ["string", "null"]})),
            ("frontend", text()),
            ("traceparent", text()),
            ("started", moment()),
            ("outcome", text()),
            ("start", json!({"type": "string", "enum": ["cold", "warm", "cached"]})),
            ("services", list(&json!({"type": "object"}))),
            ("failure", text()),
            ("stack", list(&text())),
            ("log", list(&line)),
            ("log_is_cut", json!({"type": "boolean"})),
        ],
    );
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().for_each(|properties| {
        properties.extend(MEASURED.map(|name| (name.to_owned(), size())));
    });
    schema
}

/// What is measured of each invocation, in microseconds and bytes.
const MEASURED: [&str; 8] = [
    "queued_us",
    "loading_us",
    "instantiating_us",
    "running_us",
    "cpu_us",
    "peak_memory_bytes",
    "bytes_in",
    "bytes_out",
];
