//! An event of each AWS Lambda trigger, as AWS documents it, and the whole response to it.
//!
//! `events/` has one file for each test. It gives the function, the event and the expected response. The test has the
//! name of the file.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use libtest_mimic::{Arguments, Failed, Trial};
use nebula_integration_tests::{Event, Function, Guest, Lambda, LambdaResponse, Package};
use serde::Deserialize;
use serde_json::{Value, json};

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventCase {
    function: String,
    /// The keys of the function's entry in `nebula.toml`, except the source.
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
    let case: EventCase = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let functions = Guest::named(&case.function).unwrap().functions;
    let function = functions.into_iter().find(|function| function.name == case.function).unwrap();
    let function = Function { config: case.config, ..function };
    let package = Package::new(std::slice::from_ref(&function));
    let lambda = Lambda::start(&package, &[]);

    let event = Event::new(case.event.to_string());
    let id = event.id.clone();
    let response = lambda.invoke(event);
    let expected = case.error.as_ref().map_or(("response", &case.answer), |error| ("error", error));
    let observed = (response.endpoint.as_str(), &comparable(&response, &id, &function, expected.1));
    match observed == expected {
        true => Ok(()),
        false => Err(format!("- {} {:#}\n+ {} {:#}", expected.0, expected.1, observed.0, observed.1).into()),
    }
}

/// The response with the values of this invocation replaced by placeholders. If a JSON body is expected, the body is
/// parsed.
fn comparable(response: &LambdaResponse, id: &str, function: &Function, expected: &Value) -> Value {
    let mut answer = response.json();
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
        // The order of header fields has no meaning.
        body["headers"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        answer["body"] = body;
    }
    answer
}

/// Whether `text` is a timing. The start may be cold or warm, because the code is loaded while the first event arrives.
fn is_timing(text: &str) -> bool {
    ["cold", "warm"].iter().any(|start| text.starts_with(&format!("start;desc={start}, queued;dur=0, load;dur=")))
}

fn values(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(values) => values.iter_mut().collect(),
        value => vec![value],
    }
}
