//! What a frontend shows of a call.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use nebula_runtime::{ErrorKind, Report};
use serde::Deserialize;

use crate::content::Content;

/// What a frontend shows of a call: `None` is what it does not show, or what did not happen.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The HTTP status.
    pub status: Option<u16>,
    /// The header fields of the guest: all but those that a frontend adds by itself, and the media type.
    pub headers: BTreeMap<String, String>,
    /// The exit code of the process, or of the guest where there is no process but its own.
    pub exit_code: Option<i32>,
    /// What kind of failure it is called.
    pub error: Option<ErrorKind>,
    /// What is said about the failure.
    pub detail: Option<String>,
    /// The result's media type.
    pub media_type: Option<String>,
    /// The result; of a failure, what came before it.
    pub content: Content,
    /// Whether the response began and then broke off.
    pub broken_off: bool,
    /// What the guest wrote to stderr.
    pub stderr: Option<String>,
    /// What the report says.
    pub report: Option<Reported>,
}

impl Observed {
    /// What differs from what was `expected`, a line for each; nothing where all is the same.
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
        lines.extend(report.iter().flat_map(Reported::lines));
        lines
    }
}

/// What a report says, less what depends on time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reported {
    /// The function, as it was called.
    pub function: String,
    /// The version that ran.
    pub version: Option<u64>,
    /// The digest of the module that ran.
    pub digest: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// The frontend.
    pub frontend: String,
    /// How it ended.
    pub outcome: Option<String>,
    /// Whether its code was in memory.
    pub start: String,
    /// Bytes of the event that the guest was given. Of what is expected, `None` is any number.
    pub bytes_in: Option<u64>,
    /// Bytes of the response that the guest gave. Of what is expected, `None` is any number.
    pub bytes_out: Option<u64>,
    /// The most memory that the guest held. Of what is expected, `None` is any number.
    #[serde(rename = "peak_memory_bytes")]
    pub peak_memory: Option<u64>,
}

impl From<&Report> for Reported {
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
        }
    }
}

impl Reported {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let Self { function, version, digest, kind, frontend, outcome, start, bytes_in, bytes_out, peak_memory } = self;
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
        ]
    }

    /// The same without the numbers that are not known of what is `expected`.
    pub(crate) fn comparable_to(mut self, expected: &Observed) -> Self {
        if let Some(expected) = &expected.report {
            self.bytes_in = self.bytes_in.filter(|_| expected.bytes_in.is_some());
            self.bytes_out = self.bytes_out.filter(|_| expected.bytes_out.is_some());
            self.peak_memory = self.peak_memory.filter(|_| expected.peak_memory.is_some());
        }
        self
    }
}

/// What frontends add to an answer by themselves. Each of these is checked where a frontend observes it, or is the HTTP
/// library's own.
const OF_FRONTENDS: [&str; 8] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "nebula-digest",
    "nebula-invocation-id",
    "server-timing",
    "transfer-encoding",
];

/// The header fields of the guest, as [`Observed::headers`] has them.
pub(crate) fn of_guest(headers: &HeaderMap) -> BTreeMap<String, String> {
    let names = headers.keys().map(|name| name.as_str()).filter(|name| !OF_FRONTENDS.contains(name));
    let values = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>();
    names.map(|name| (name.to_owned(), values(name).join(", "))).collect()
}

/// A field's value, in UTF-8 or in ISO-8859-1.
fn text(value: &HeaderValue) -> String {
    let octets = value.as_bytes();
    str::from_utf8(octets).map_or_else(|_| octets.iter().copied().map(char::from).collect(), str::to_owned)
}

/// `expected` where `text` contains it, and `text` where it does not: so that texts of which only a part is known can
/// be compared with everything else.
pub(crate) fn containing(text: &str, expected: Option<&str>) -> Option<String> {
    let expected = expected?;
    Some(if text.contains(expected) { expected } else { text }.to_owned())
}

/// What stands in a case for the invocation's id and for the server's address.
pub(crate) const PLACEHOLDERS: [&str; 2] = ["{invocation_id}", "{address}"];

/// `bytes` with what only this invocation has replaced by what stands for it in a case.
pub(crate) fn normalized(bytes: &[u8], placeholders: &[(&str, &str)]) -> Vec<u8> {
    match str::from_utf8(bytes) {
        Ok(text) if text.len() < 1 << 16 => {
            let replace = |text: String, (own, placeholder): &(&str, &str)| text.replace(own, placeholder);
            placeholders.iter().fold(text.to_owned(), replace).into_bytes()
        }
        _ => bytes.to_vec(),
    }
}
