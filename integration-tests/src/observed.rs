//! What a test observes of a call through a frontend.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use nebula_runtime::{ErrorKind, Report, ServiceUse};
use serde::{Deserialize, Deserializer};

use crate::content::Content;

/// What a test observes of a call. A value is `None` if the frontend does not show it, or if it does not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The HTTP status.
    pub status: Option<u16>,
    /// The header fields that the guest sets, except the media type. Fields that the frontend adds are left out.
    pub headers: BTreeMap<String, String>,
    /// The exit code of the `nebula` process. For the embedded runtime, the exit code of the guest.
    pub exit_code: Option<i32>,
    /// The error's kind.
    pub error: Option<ErrorKind>,
    /// The error's message.
    pub detail: Option<String>,
    /// The result's media type.
    pub media_type: Option<String>,
    /// The result. If the call fails, the output before the failure.
    pub content: Content,
    /// Whether the response began and then broke off.
    pub broken_off: bool,
    /// The guest's stderr.
    pub stderr: Option<String>,
    /// The report.
    pub report: Option<ReportSummary>,
}

impl Observation {
    /// The values that differ from `expected`, three lines for each. Empty if the two are equal.
    pub fn differences(&self, expected: &Self) -> String {
        let pairs = expected.lines().into_iter().zip(self.lines());
        let different = pairs.filter(|(expected, observed)| expected != observed);
        different.map(|((name, expected), (_, observed))| format!("{name}\n  - {expected}\n  + {observed}\n")).collect()
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let Self { status, headers, exit_code, error, detail, media_type, content, broken_off, stderr, report } = self;
        let mut lines = vec![
            ("status", format!("{status:?}")),
            ("headers", format!("{headers:?}")),
            ("exit code", format!("{exit_code:?}")),
            ("error", format!("{error:?}")),
            ("detail", format!("{detail:?}")),
            ("media type", format!("{media_type:?}")),
            ("content", format!("{content:?}")),
            ("broken off", format!("{broken_off:?}")),
            ("stderr", format!("{stderr:?}")),
            ("report", if report.is_some() { "there" } else { "missing" }.to_owned()),
        ];
        lines.extend(report.iter().flat_map(ReportSummary::lines));
        lines
    }
}

/// A report without the values that depend on time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReportSummary {
    /// The reference by which the function was called.
    pub function: String,
    /// The version that ran.
    pub version: Option<u64>,
    /// The digest of the module that ran.
    pub digest: Option<String>,
    /// The kind of the module that ran.
    pub kind: Option<String>,
    /// The frontend that made the call.
    pub frontend: String,
    /// How the invocation ended.
    pub outcome: Option<String>,
    /// Whether the code was in memory: `warm` or `cold`.
    pub start: String,
    /// The number of bytes of the event that the guest received. An expected `None` accepts any number.
    pub bytes_in: Option<u64>,
    /// The number of bytes of the response that the guest wrote. An expected `None` accepts any number.
    pub bytes_out: Option<u64>,
    /// The most memory that the guest held. An expected `None` accepts any number.
    #[serde(rename = "peak_memory_bytes")]
    pub peak_memory: Option<u64>,
    /// What the guest used of services. An expected `None` accepts anything.
    #[serde(default = "no_services", deserialize_with = "services")]
    pub services: Option<Vec<ServiceOperations>>,
    /// The frames of the stack of a guest that failed. An expected `None` accepts anything.
    #[serde(default, deserialize_with = "stack")]
    pub stack: Option<Vec<String>>,
}

/// What a guest used of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServiceOperations {
    /// The service's name.
    pub service: String,
    /// How many operations it was asked for.
    pub operations: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// Reads the list of a report, or its text in a log: `state: 3 operations, 0 failed, 120 us`.
fn services<'de, D: Deserializer<'de>>(report: D) -> Result<Option<Vec<ServiceOperations>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Services {
        List(Vec<ServiceOperations>),
        Text(String),
    }

    Ok(Some(match Services::deserialize(report)? {
        Services::List(services) => services,
        Services::Text(text) => text.split("; ").map(ServiceOperations::read).collect(),
    }))
}

/// Reads the list of a report, or its text in a log: `divide (src/lib.rs:12:5); run`.
fn stack<'de, D: Deserializer<'de>>(report: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stack {
        List(Vec<String>),
        Text(String),
    }

    Ok(Some(match Stack::deserialize(report)? {
        Stack::List(frames) => frames,
        Stack::Text(text) => text.split("; ").map(str::to_owned).collect(),
    }))
}

/// The report of a guest that uses no services does not mention them.
#[expect(clippy::unnecessary_wraps, reason = "it is the default of such a field")]
fn no_services() -> Option<Vec<ServiceOperations>> {
    Some(Vec::new())
}

impl From<&Report> for ReportSummary {
    fn from(report: &Report) -> Self {
        Self {
            function: report.function.to_string(),
            version: report.version,
            digest: report.digest.map(|digest| digest.to_string()),
            kind: report.kind.map(|kind| kind.to_string()),
            frontend: report.frontend.to_owned(),
            outcome: report.outcome.map(|outcome| outcome.as_str().to_owned()),
            start: report.start.as_str().to_owned(),
            bytes_in: Some(report.bytes_in),
            bytes_out: Some(report.bytes_out),
            peak_memory: Some(report.peak_memory),
            services: Some(report.services.iter().map(ServiceOperations::from).collect()),
            stack: Some(report.stack.iter().map(ToString::to_string).collect()),
        }
    }
}

impl ServiceOperations {
    fn read(text: &str) -> Self {
        let (service, used) = text.split_once(": ").unwrap();
        let counts: Vec<_> = used.split(", ").map(|count| count.split_once(' ').unwrap().0.parse().unwrap()).collect();
        Self { service: service.to_owned(), operations: counts[0], failed: counts[1] }
    }
}

impl From<&ServiceUse> for ServiceOperations {
    fn from(used: &ServiceUse) -> Self {
        Self { service: used.service.to_string(), operations: used.operations, failed: used.failed }
    }
}

impl ReportSummary {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Self { function, version, digest, kind, frontend, outcome, start, .. } = self;
        let Self { bytes_in, bytes_out, peak_memory, services, stack, .. } = self;
        vec![
            ("report: function", function.clone()),
            ("report: version", format!("{version:?}")),
            ("report: digest", format!("{digest:?}")),
            ("report: kind", format!("{kind:?}")),
            ("report: frontend", frontend.clone()),
            ("report: outcome", format!("{outcome:?}")),
            ("report: start", start.clone()),
            ("report: bytes_in", format!("{bytes_in:?}")),
            ("report: bytes_out", format!("{bytes_out:?}")),
            ("report: peak_memory_bytes", format!("{peak_memory:?}")),
            ("report: services", format!("{services:?}")),
            ("report: stack", format!("{stack:?}")),
        ]
    }

    /// The same report without the numbers that `expected` does not give.
    pub(crate) fn comparable_to(mut self, expected: &Observation) -> Self {
        if let Some(expected) = &expected.report {
            self.bytes_in = self.bytes_in.filter(|_| expected.bytes_in.is_some());
            self.bytes_out = self.bytes_out.filter(|_| expected.bytes_out.is_some());
            self.peak_memory = self.peak_memory.filter(|_| expected.peak_memory.is_some());
            self.services = self.services.filter(|_| expected.services.is_some());
            self.stack = expected.stack.as_ref().map(|frames| expected_frames(self.stack.unwrap_or_default(), frames));
        }
        self
    }

    /// The same report of a program that has no debug information: the names of functions without their places.
    pub(crate) fn without_lines(self) -> Self {
        let name = |frame: String| frame.split(" (").next().unwrap_or_default().to_owned();
        Self { stack: self.stack.map(|frames| frames.into_iter().map(name).collect()), ..self }
    }

    /// The same report with the `start` that `expected` has: the order of the cases that share a process decides
    /// whether code is in its memory.
    pub(crate) fn started_as(self, expected: &Observation) -> Self {
        assert!(matches!(self.start.as_str(), "cold" | "warm"), "{}", self.start);
        let start = expected.report.as_ref().map_or_else(|| self.start.clone(), |expected| expected.start.clone());
        Self { start, ..self }
    }
}

/// The header fields that frontends add to a response. The drivers check them, except those of the HTTP library.
const FRONTEND_HEADERS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "nebula-digest",
    "nebula-invocation-id",
    "server-timing",
    "transfer-encoding",
];

/// The header fields that the guest sets, in the form of [`Observation::headers`].
pub(crate) fn guest_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let names = headers.keys().map(|name| name.as_str()).filter(|name| !FRONTEND_HEADERS.contains(name));
    let values =
        |name: &str| headers.get_all(name).iter().map(text).filter(|value| !is_of_server(name, value)).collect();
    let fields =
        names.map(|name| (name.to_owned(), values(name))).filter(|(_, values): &(_, Vec<_>)| !values.is_empty());
    fields.map(|(name, values)| (name, values.join(", "))).collect()
}

/// Whether a server adds this field to each long text: whether it is compressed depends on the client.
fn is_of_server(name: &str, value: &str) -> bool {
    (name, value) == ("vary", "accept-encoding")
}

/// A field's value, decoded from UTF-8, or from ISO-8859-1 if it is not UTF-8.
fn text(value: &HeaderValue) -> String {
    let octets = value.as_bytes();
    str::from_utf8(octets).map_or_else(|_| octets.iter().copied().map(char::from).collect(), str::to_owned)
}

/// `expected` if `stack` has frames that begin so, in this order, and all of `stack` if not.
fn expected_frames(stack: Vec<String>, expected: &[String]) -> Vec<String> {
    let mut frames = stack.iter();
    match expected.iter().all(|beginning| frames.any(|frame| frame.starts_with(beginning))) {
        true => expected.to_vec(),
        false => stack,
    }
}

/// `expected` if `text` contains it, and all of `text` if not. So a test can compare a text of which a case gives only
/// a part.
pub(crate) fn expected_part(text: &str, expected: Option<&str>) -> Option<String> {
    let expected = expected?;
    Some(if text.contains(expected) { expected } else { text }.to_owned())
}

/// The placeholders in a case for the invocation's id and for the server's address.
pub(crate) const PLACEHOLDERS: [&str; 2] = ["{invocation_id}", "{address}"];

/// `bytes` with the values of this invocation replaced by the placeholders of a case.
pub(crate) fn with_placeholders(bytes: &[u8], placeholders: &[(&str, &str)]) -> Vec<u8> {
    match str::from_utf8(bytes) {
        Ok(text) if text.len() < 1 << 16 => {
            let replace = |text: String, (own, placeholder): &(&str, &str)| text.replace(own, placeholder);
            placeholders.iter().fold(text.to_owned(), replace).into_bytes()
        }
        _ => bytes.to_vec(),
    }
}
