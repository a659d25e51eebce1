//! Requests of the host of Azure Functions to a custom handler.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use ::http::Request;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use toml::Table;

use super::http;
use crate::{
    case::Case,
    content::Content,
    guest::{Function, Guest},
    observed::{Observation, PLACEHOLDERS, ReportSummary, expected_part, with_placeholders},
    platform::AzurePackage,
    server::{HttpResponse, Server},
    services::Backend,
};

/// The handlers of two packages with the same functions: HTTP requests call those of one, and messages of a queue
/// those of the other. Each is started when it is first needed.
pub(super) struct Azure {
    functions: Vec<Function>,
    backend: Arc<Backend>,
    requests: OnceLock<Handler>,
    events: OnceLock<Handler>,
    /// The number of events so far: the host gives each invocation an id.
    count: AtomicU64,
}

struct Handler {
    // Declared before the package, so that the handler is stopped first.
    server: Server,
    _package: AzurePackage,
}

/// The name of the queue's binding, and of the one for results.
const BINDINGS: [&str; 2] = ["message", "result"];

/// Whether the host forwards the case's request. It knows functions by their names alone, and drops a body of unknown
/// length.
pub(super) fn forwards(case: &Case) -> bool {
    names_a_function(case) && !case.request.as_ref().is_some_and(|request| request.chunked)
}

/// Whether the case calls a function that exists, by its name alone.
pub(super) fn names_a_function(case: &Case) -> bool {
    let is_name = |function: &str| !function.contains([':', '@']);
    case.function.as_deref().is_none_or(is_name) && !case.expect.unresolved
}

/// The part of the expected observation that a forwarded request shows.
pub(super) fn expected_of_request(all: Observation) -> Observation {
    with_frontend(http::expected(all))
}

/// The part of the expected observation that an event shows.
pub(super) fn expected_of_event(all: Observation) -> Observation {
    let content = match (&all.error, &all.media_type) {
        (None, Some(media_type)) => all.content.as_value(media_type),
        _ => Content::EMPTY,
    };
    let (headers, status) = (BTreeMap::new(), Some(if all.error.is_some() { 500 } else { 200 }));
    let expected =
        Observation { status, headers, content, media_type: None, broken_off: false, exit_code: None, ..all };
    with_frontend(expected)
}

fn with_frontend(all: Observation) -> Observation {
    let (frontend, start) = ("azure".to_owned(), "cold".to_owned());
    let report = all.report.map(|report| ReportSummary { frontend, start, ..report.without_lines() });
    Observation { report, ..all }
}

impl Azure {
    pub(super) fn new(functions: &[Function], backend: Arc<Backend>) -> Self {
        let (requests, events) = (OnceLock::new(), OnceLock::new());
        Self { functions: functions.to_vec(), backend, requests, events, count: AtomicU64::new(0) }
    }

    /// Makes a call whose request is forwarded.
    pub(super) fn observe_request(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let handler = self.requests.get_or_init(|| Handler::start(&self.functions, "azure-request", &self.backend));
        let mut request = http::request(guest, case);
        let id = self.new_id();
        request.headers_mut().insert("x-azure-functions-invocationid", id.parse().unwrap());
        let observed = http::observe(&handler.server, request, expected);
        let report = observed.report.map(|report| report.started_as(expected));
        Observation { report, ..observed }
    }

    /// Makes a call by a message of a queue.
    pub(super) fn observe_event(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let handler = self.events.get_or_init(|| {
            let functions: Vec<_> = self.functions.iter().cloned().map(called_by_queue).collect();
            Handler::start(&functions, "azure-event", &self.backend)
        });
        let id = self.new_id();
        let response = handler.server.send(event(guest, case, &id));
        let report: ReportSummary = serde_json::from_value(handler.server.report(&id)).unwrap();
        let problem = (response.status != 200).then(|| http::problem(&response, &id));
        let (content, logs) = match &problem {
            Some(_) => (Content::EMPTY, None),
            None => result(&response, &id, expected),
        };
        Observation {
            status: Some(response.status),
            headers: BTreeMap::new(),
            exit_code: None,
            error: problem.as_ref().map(|problem| problem.kind),
            detail: problem.map(|problem| problem.detail),
            media_type: None,
            content,
            broken_off: response.broken_off,
            stderr: expected_part(&logs.unwrap_or(handler.server.guest_stderr(&id)), expected.stderr.as_deref()),
            report: Some(report.started_as(expected).comparable_to(expected)),
        }
    }

    fn new_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.count.fetch_add(1, Relaxed))
    }
}

impl Handler {
    fn start(functions: &[Function], name: &str, backend: &Backend) -> Self {
        let package = AzurePackage::new(functions);
        let mut handler = package.handler();
        handler.envs(backend.node(name, &package.folder()));
        let server = Server::start_command(&mut handler).unwrap_or_else(|output| panic!("{output:#?}"));
        Self { server, _package: package }
    }
}

/// The same function, which messages of a queue call, and whose results go to another queue.
fn called_by_queue(mut function: Function) -> Function {
    let [message, result] = BINDINGS;
    let bindings = format!(
        r#"bindings = [
            {{ type = "queueTrigger", direction = "in", name = "{message}", queueName = "messages" }},
            {{ type = "queue", direction = "out", name = "{result}", queueName = "results" }},
        ]"#
    );
    function.config.insert("azure".to_owned(), bindings.parse::<Table>().unwrap().into());
    function
}

/// The request that the host makes of a message. It encodes the message's text as JSON.
fn event(guest: &Guest, case: &Case, id: &str) -> Request<String> {
    let message = serde_json::to_string(&case.json_line().unwrap()).unwrap();
    let metadata = json!({ "DequeueCount": 1, "Id": id });
    let body = json!({ "Data": { BINDINGS[0]: message }, "Metadata": metadata });
    let request = Request::post(format!("/{}", case.function(&guest.name)));
    let request = request.header("content-type", "application/json; charset=utf-8");
    request.header("x-azure-functions-invocationid", id).body(body.to_string()).unwrap()
}

/// An answer to the host. No other members are allowed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Answer {
    outputs: BTreeMap<String, Box<RawValue>>,
    logs: Vec<String>,
    return_value: Box<RawValue>,
}

/// The result in an answer, and the guest's stderr.
fn result(response: &HttpResponse, id: &str, expected: &Observation) -> (Content, Option<String>) {
    let body = with_placeholders(&response.body, &[(id, PLACEHOLDERS[0])]);
    let answer: Answer = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {}", response.text()));
    assert_eq!(answer.outputs[BINDINGS[1]].get(), answer.return_value.get());
    assert_eq!(answer.outputs.len(), 1);
    let logs = answer.logs.iter().map(|line| format!("{line}\n")).collect();
    (Content::read_value(answer.return_value.get(), &expected.content), Some(logs))
}
