//! An OpenTelemetry collector that keeps what it is sent.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{KeyValue, any_value::Value},
};
use prost::Message as _;
use serde_json::json;

/// An OpenTelemetry collector on this machine, which decodes what it is sent and keeps it. It answers every other
/// request too, and keeps its `traceparent`.
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Kept>,
}

#[derive(Default)]
struct Kept {
    items: Mutex<Vec<(String, serde_json::Value)>>,
    is_away: AtomicBool,
}

impl Collector {
    /// Starts a collector.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), Arc::<Kept>::default());
        let keeper = Arc::clone(&kept);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let keeper = Arc::clone(&keeper);
                thread::spawn(move || while keeper.answer(&connection).is_some() {});
            }
        });
        Self { address, kept }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses everything from now on, or takes everything again.
    pub fn set_away(&self, is_away: bool) {
        self.kept.is_away.store(is_away, Relaxed);
    }

    /// What it was sent of one kind, as JSON: `span`, `line`, `metric`, and `request` for other requests.
    pub fn kept(&self, kind: &str) -> Vec<serde_json::Value> {
        let items = self.kept.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.iter().filter(|(known, _)| known == kind).map(|(_, item)| item.clone()).collect()
    }
}

impl Kept {
    /// Answers one request. `None` at the end of the connection.
    fn answer(&self, connection: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(connection);
        let mut head = Vec::new();
        while !head.ends_with(&["".to_owned()]) {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
            head.push(line.trim_end().to_owned());
        }
        let field = |name: &str| {
            let field = |line: &String| {
                let (field, value) = line.split_once(':')?;
                field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            };
            head.iter().find_map(field)
        };
        let mut body = vec![0; field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        let path = head[0].split(' ').nth(1)?.to_owned();
        let status = if self.is_away.load(Relaxed) { "503 Service Unavailable" } else { "200 OK" };
        if status.starts_with("200") {
            self.keep(&path, &body, field("traceparent"));
        }
        let mut connection = connection;
        write!(connection, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").ok()
    }

    fn keep(&self, path: &str, body: &[u8], traceparent: Option<String>) {
        let items = match path {
            "/v1/traces" => spans(body),
            "/v1/logs" => lines(body),
            "/v1/metrics" => metrics(body),
            _ => vec![("request", json!({ "path": path, "traceparent": traceparent }))],
        };
        let items = items.into_iter().map(|(kind, item)| (kind.to_owned(), item));
        self.items.lock().unwrap_or_else(PoisonError::into_inner).extend(items);
    }
}

type Items = Vec<(&'static str, serde_json::Value)>;

fn spans(body: &[u8]) -> Items {
    let mut items = Vec::new();
    for resource in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
        let service = resource.resource.map(|resource| attributes(&resource.attributes)["service.name"].clone());
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let item = json!({
                "service": service,
                "trace": hex(&span.trace_id), "id": hex(&span.span_id), "parent": hex(&span.parent_span_id),
                "name": span.name, "kind": span.kind, "state": span.trace_state,
                "began": span.start_time_unix_nano, "ended": span.end_time_unix_nano,
                "attributes": attributes(&span.attributes),
                "error": span.status.map(|status| status.message),
            });
            items.push(("span", item));
        }
    }
    items
}

fn lines(body: &[u8]) -> Items {
    let resources = ExportLogsServiceRequest::decode(body).unwrap().resource_logs;
    let scopes = resources.into_iter().flat_map(|resource| resource.scope_logs);
    let lines = scopes.flat_map(|scope| {
        let target = scope.scope.map(|scope| scope.name);
        scope.log_records.into_iter().map(move |line| {
            let message = line.body.and_then(|body| body.value).map(value);
            json!({
                "target": target, "message": message, "level": line.severity_text,
                "attributes": attributes(&line.attributes),
                "trace": hex(&line.trace_id), "span": hex(&line.span_id),
            })
        })
    });
    lines.map(|line| ("line", line)).collect()
}

fn metrics(body: &[u8]) -> Items {
    let resources = ExportMetricsServiceRequest::decode(body).unwrap().resource_metrics;
    let scopes = resources.into_iter().flat_map(|resource| resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| scope.metrics);
    metrics.map(|metric| ("metric", json!({ "name": metric.name, "unit": metric.unit }))).collect()
}

fn attributes(attributes: &[KeyValue]) -> serde_json::Value {
    let value = |attribute: &KeyValue| attribute.value.clone().and_then(|any| any.value).map(value);
    attributes.iter().map(|attribute| (attribute.key.clone(), value(attribute).unwrap_or_default())).collect()
}

fn value(value: Value) -> serde_json::Value {
    match value {
        Value::StringValue(text) => text.into(),
        Value::BoolValue(value) => value.into(),
        Value::IntValue(number) => number.into(),
        Value::DoubleValue(number) => number.into(),
        other => format!("{other:?}").into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
