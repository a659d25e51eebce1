//! An event of each trigger of AWS Lambda, as AWS documents it, and the whole answer to it.
//!
//! `events/` has a file for each: the function that the event is for, the event, and its answer. A test is named like
//! the file.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use libtest_mimic::{Arguments, Failed, Trial};
use nebula_integration_tests::{Event, Function, Guest, Invoked, Lambda, Package};
use serde::Deserialize;
use serde_json::{Value, json};

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Documented {
    function: String,
    /// What the function's entry in `nebula.toml` says besides the source.
    #[serde(default)]
    config: toml::Table,
    event: Value,
    #[serde(default)]
    answer: Value,
    error: Option<Value>,
}

fn main() {
    let mut files: Vec<_> = fs::read_dir(EVENTS).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        Trial::test(name, move || check(&file))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn check(file: &Path) -> Result<(), Failed> {
    let documented: Documented = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let functions = Guest::named(&documented.function).unwrap().functions;
    let function = functions.into_iter().find(|function| function.name == documented.function).unwrap();
    let function = Function { config: documented.config, ..function };
    let package = Package::new(std::slice::from_ref(&function));
    let lambda = Lambda::start(&package, &[]);

    let event = Event::new(documented.event.to_string());
    let id = event.id.clone();
    let invoked = lambda.invoke(event);
    let expected = documented.error.as_ref().map_or(("response", &documented.answer), |error| ("error", error));
    let answered = (invoked.endpoint.as_str(), &seen(&invoked, &id, &function, expected.1));
    match answered == expected {
        true => Ok(()),
        false => Err(format!("- {} {:#}\n+ {} {:#}", expected.0, expected.1, answered.0, answered.1).into()),
    }
}

/// The answer with what only this invocation has replaced by what stands for it, and with a body of JSON read where
/// that is expected.
fn seen(invoked: &Invoked, id: &str, function: &Function, expected: &Value) -> Value {
    let mut answer = invoked.json();
    for headers in ["headers", "multiValueHeaders"] {
        let headers = answer.get_mut(headers).and_then(Value::as_object_mut);
        for value in headers.into_iter().flatten().flat_map(|(_, value)| values(value)) {
            match value.as_str().unwrap() {
                text if text == id => *value = json!("{id}"),
                text if text == function.digest() => *value = json!("{digest}"),
                text if is_timing(text) => *value = json!("{timing}"),
                _ => {}
            }
        }
    }
    if let (true, Some(body)) = (expected["body"].is_object(), answer["body"].as_str()) {
        let mut body: Value = serde_json::from_str(body).unwrap();
        // Their order means nothing.
        body["headers"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        answer["body"] = body;
    }
    answer
}

/// Whether the code was there already is a race: it is loaded while the first event is asked for.
fn is_timing(text: &str) -> bool {
    ["cold", "warm"].iter().any(|start| text.starts_with(&format!("start;desc={start}, queued;dur=0, load;dur=")))
}

fn values(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(values) => values.iter_mut().collect(),
        value => vec![value],
    }
}
