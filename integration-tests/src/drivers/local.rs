//! Calls by `nebula run` to published functions.

use std::{collections::BTreeMap, slice, sync::OnceLock};

use ::http::{HeaderMap, HeaderName, HeaderValue};
use nebula_runtime::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    case::Case,
    content::Content,
    guest::{Function, Guest},
    nebula::{Nebula, ProcessOutput},
    observed::{Observation, ReportSummary, expected_part, guest_headers},
    project::Project,
    services::Backend,
};

/// A store, and functions that are published to it when they are first called.
pub(super) struct Local {
    /// The command on the node of each form of call.
    raw: Nebula,
    line: Nebula,
    full: Nebula,
    project: Project,
    functions: Vec<(Function, OnceLock<()>)>,
}

/// The part of the expected observation that `--raw` or arguments show: the result is written as it is.
pub(super) fn expected_raw(all: Observation) -> Observation {
    // `nebula run` has already written the guest's output before the failure.
    Observation { content: all.content.clone(), ..expected_process(all) }
}

/// The part of the expected observation that a line of stdin shows: the result is a JSON value on a line.
pub(super) fn expected_line(all: Observation) -> Observation {
    let content = match (&all.error, &all.media_type) {
        (None, Some(media_type)) => all.content.as_value(media_type),
        // If the call fails, `nebula run` writes only the error.
        _ => Content::EMPTY,
    };
    Observation { content, ..expected_process(all) }
}

/// The part of the expected observation that every process shows, with an unchanged result.
fn expected_process(all: Observation) -> Observation {
    let (status, headers, exit_code) = (None, BTreeMap::new(), Some(exit_code(&all)));
    Observation { status, headers, exit_code, media_type: None, broken_off: false, report: None, ..all }
}

/// The part of the expected observation that `--output full` shows: a whole response on a line.
pub(super) fn expected_full(all: Observation, case: &Case) -> Observation {
    let succeeded = all.error.is_none();
    // If the function does not exist, `nebula run` makes no invocation.
    let report = all.report.clone().filter(|_| !case.expect.unresolved);
    Observation {
        status: all.status.filter(|_| succeeded),
        headers: all.headers.clone(),
        media_type: all.media_type.clone().filter(|_| succeeded),
        report: report.map(|report| ReportSummary { frontend: "local".to_owned(), ..report }),
        ..expected_line(all)
    }
}

/// The exit code of each kind of error.
fn exit_code(all: &Observation) -> i32 {
    let Some(kind) = all.error else { return 0 };
    match kind {
        ErrorKind::GuestError => 1,
        ErrorKind::InvalidInput | ErrorKind::PayloadTooLarge | ErrorKind::InvalidModule => 65,
        ErrorKind::NotFound => 66,
        ErrorKind::Unavailable => 69,
        ErrorKind::Internal => 70,
        ErrorKind::Overloaded => 75,
        ErrorKind::Timeout => 124,
        ErrorKind::GuestFault => all.exit_code.unwrap_or(134),
        ErrorKind::LimitExceeded => 137,
    }
}

/// A line of `--output full`, or the line of an error in any form of output.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    status: Option<u16>,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    error: Option<Failure>,
    report: Option<ReportSummary>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    kind: ErrorKind,
    detail: String,
}

impl Line<'_> {
    fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in &self.headers {
            for value in value.as_array().map_or(slice::from_ref(value), Vec::as_slice) {
                let value = HeaderValue::try_from(value.as_str().unwrap()).unwrap();
                fields.append(HeaderName::try_from(name).unwrap(), value);
            }
        }
        fields
    }
}

impl Local {
    pub(super) fn new(functions: &[Function], backend: &Backend) -> Self {
        let project = Project::new(functions);
        let node = |name| Nebula::built().with_environment(backend.node(name, project.path()));
        Self {
            raw: node("raw"),
            line: node("line"),
            full: node("full"),
            project,
            functions: functions.iter().map(|function| (function.clone(), OnceLock::new())).collect(),
        }
    }

    /// Makes a call with arguments, or with all of stdin as one event.
    pub(super) fn observe_raw(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let output = self.run(&self.raw, guest, case, &raw_option(case), &case.bytes());
        let failure = failure_of(&output.stderr);
        let stdout = if nebula_adds_line_end(case) { without_line_end(&output.stdout) } else { &output.stdout };
        observation(&output, failure, Content::read(stdout, &expected.content), expected)
    }

    /// Makes a call by an event that is one line of stdin.
    pub(super) fn observe_line(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let event = case.json_line().unwrap() + "\n";
        let output = self.run(&self.line, guest, case, &[], event.as_bytes());
        let text = only_line(&output);
        let failed = text.and_then(|text| serde_json::from_str::<Line<'_>>(text).ok()?.error);
        let failure = failed.or_else(|| failure_of(&output.stderr));
        let content = match (&failure, text) {
            (None, Some(text)) => Content::read_value(text, &expected.content),
            _ => Content::EMPTY,
        };
        observation(&output, failure, content, expected)
    }

    /// Makes a call whose whole response is written.
    pub(super) fn observe_full(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let output =
            self.run(&self.full, guest, case, &[raw_option(case), vec!["--output", "full"]].concat(), &case.bytes());
        let Some(text) = only_line(&output) else {
            return observation(&output, failure_of(&output.stderr), Content::EMPTY, expected);
        };
        let line: Line<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        // Serde reads a `null` as `None`.
        let body = line.status.map(|_| line.body.map_or("null", RawValue::get));
        let content = body.map(|body| Content::read_value(body, &expected.content));
        Observation {
            status: line.status,
            headers: guest_headers(&line.fields()),
            media_type: line.headers.get("content-type").map(|value| value.as_str().unwrap().to_owned()),
            report: line.report.map(|report| report.comparable_to(expected)),
            ..observation(&output, line.error, content.unwrap_or(Content::EMPTY), expected)
        }
    }

    fn run(&self, nebula: &Nebula, guest: &Guest, case: &Case, options: &[&str], stdin: &[u8]) -> ProcessOutput {
        if let Some(function) = guest.function(case) {
            self.publish(&function.name);
        }
        let function = [case.function(&guest.name)];
        let arguments: Vec<_> = case.arguments.iter().map(String::as_str).collect();
        let separator: &[&str] = if arguments.iter().any(looks_like_an_option) { &["--"] } else { &[] };
        nebula.run(&self.project, &[&["run"], &function[..], options, separator, &arguments].concat(), stdin)
    }

    /// Publishes a function with its configuration, if that was not done yet.
    fn publish(&self, name: &str) {
        let (function, published) = self.functions.iter().find(|(function, _)| function.name == name).unwrap();
        published.get_or_init(|| {
            let options = ["--config", "nebula.toml"];
            drop(self.raw.publish(&self.project, name, &function.source, &options).expect_success());
        });
    }
}

/// Whether the command line parser would read an argument as an option. It begins with `-` and is not a number. A
/// number whose exponent has a sign counts as an option too.
fn looks_like_an_option(argument: &&str) -> bool {
    let number = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit()) && !rest.contains("e-");
    argument.strip_prefix('-').is_some_and(|rest| !number(rest))
}

/// The option that makes all of stdin one event. A call with arguments alone does not need it.
fn raw_option(case: &Case) -> Vec<&'static str> {
    if case.arguments.is_empty() || case.body.is_some() { vec!["--raw"] } else { vec![] }
}

fn observation(
    output: &ProcessOutput,
    failure: Option<Failure>,
    content: Content,
    expected: &Observation,
) -> Observation {
    Observation {
        status: None,
        headers: BTreeMap::new(),
        exit_code: Some(output.exit_code),
        error: failure.as_ref().map(|failure| failure.kind),
        detail: failure.and_then(|failure| expected_part(&failure.detail, expected.detail.as_deref())),
        media_type: None,
        content,
        broken_off: false,
        stderr: expected_part(&output.stderr, expected.stderr.as_deref()),
        report: None,
    }
}

/// Reads the error at the end of stderr: `error: KIND: DETAIL`, followed by its causes.
fn failure_of(stderr: &str) -> Option<Failure> {
    let (_, last) = stderr.rsplit_once("error: ")?;
    let (kind, detail) = last.split("\n  caused by:").next()?.trim_end().split_once(": ")?;
    Some(Failure { kind: serde_json::from_value(kind.into()).ok()?, detail: detail.to_owned() })
}

/// Whether `nebula run` adds a line end to the result, because the function's last line has none.
fn nebula_adds_line_end(case: &Case) -> bool {
    let expect = &case.expect;
    let is_text = expect.media_type().starts_with("text/") || expect.media_type() == "application/json";
    // White space of JSON is not compared, so a line end is always expected.
    let lacks_end = match expect.content(case) {
        Content::Text(text) => !text.is_empty() && !text.ends_with('\n'),
        Content::Json(_) => true,
        Content::Octets(_) | Content::Png(_) | Content::PrefixOf(_) => false,
    };
    raw_option(case).is_empty() && expect.error.is_none() && is_text && lacks_end
}

fn without_line_end(stdout: &[u8]) -> &[u8] {
    stdout.strip_suffix(b"\n").unwrap_or(b"nebula run did not add a line end")
}

/// The single line on stdout. `None` if stdout is empty.
fn only_line(output: &ProcessOutput) -> Option<&str> {
    let text = str::from_utf8(&output.stdout).unwrap();
    let line = text.strip_suffix('\n');
    assert!(text.is_empty() || line.is_some_and(|line| !line.contains('\n')), "not one line: {text}");
    line
}
