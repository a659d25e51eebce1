//! `nebula run` on published functions.

use std::{collections::BTreeMap, slice, sync::OnceLock};

use ::http::{HeaderMap, HeaderName, HeaderValue};
use nebula_runtime::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    case::Case,
    content::Content,
    guest::{Function, Guest},
    nebula::{Nebula, Ran},
    observed::{Observed, Reported, containing, of_guest},
    project::Project,
};

/// A store with functions in it.
pub(super) struct Local {
    nebula: Nebula,
    project: Project,
    functions: Vec<(Function, OnceLock<()>)>,
}

/// What is expected of a result that is written as it is.
pub(super) fn expected_as_it_is(all: Observed) -> Observed {
    // What a guest wrote before it failed is on stdout already.
    Observed { content: all.content.clone(), ..expected_in_a_process(all) }
}

/// What is expected of a result that is a JSON value on a line.
pub(super) fn expected_in_a_line(all: Observed) -> Observed {
    let content = match (&all.error, &all.media_type) {
        (None, Some(media_type)) => all.content.as_value(media_type),
        // Of one that breaks off, nothing is written but the failure.
        _ => Content::EMPTY,
    };
    Observed { content, ..expected_in_a_process(all) }
}

/// What a process shows, but for the result.
fn expected_in_a_process(all: Observed) -> Observed {
    let (status, headers, exit_code) = (None, BTreeMap::new(), Some(exit_code(&all)));
    Observed { status, headers, exit_code, media_type: None, broken_off: false, report: None, ..all }
}

/// What is expected of a whole response on a line.
pub(super) fn expected_in_full(all: Observed, case: &Case) -> Observed {
    let whole = all.error.is_none();
    // A function that is not there is found out before there is an invocation.
    let report = all.report.clone().filter(|_| !case.expect.unresolved);
    Observed {
        status: all.status.filter(|_| whole),
        headers: all.headers.clone(),
        media_type: all.media_type.clone().filter(|_| whole),
        report: report.map(|report| Reported { frontend: "local".to_owned(), ..report }),
        ..expected_in_a_line(all)
    }
}

/// The exit codes of the design.
fn exit_code(all: &Observed) -> i32 {
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

/// A line of `--output full`, or that of a failure in either form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    status: Option<u16>,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    error: Option<Failure>,
    report: Option<Reported>,
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
    pub(super) fn new(functions: &[Function]) -> Self {
        Self {
            nebula: Nebula::built(),
            project: Project::new(functions),
            functions: functions.iter().map(|function| (function.clone(), OnceLock::new())).collect(),
        }
    }

    /// A result as it is: of arguments, or of all of stdin.
    pub(super) fn observe_as_it_is(&self, guest: &Guest, case: &Case, expected: &Observed) -> Observed {
        let ran = self.run(guest, case, &one_event(case), &case.bytes());
        let failure = failure_of(&ran.stderr);
        let stdout = if is_ended_by_nebula(case) { without_line_end(&ran.stdout) } else { &ran.stdout };
        seen(&ran, failure, Content::read(stdout, &expected.content), expected)
    }

    /// The result of an event that is one line of a stream.
    pub(super) fn observe_in_a_line(&self, guest: &Guest, case: &Case, expected: &Observed) -> Observed {
        let event = case.json_line().unwrap() + "\n";
        let ran = self.run(guest, case, &[], event.as_bytes());
        let text = only_line(&ran);
        let failed = text.and_then(|text| serde_json::from_str::<Line<'_>>(text).ok()?.error);
        let failure = failed.or_else(|| failure_of(&ran.stderr));
        let content = match (&failure, text) {
            (None, Some(text)) => Content::read_value(text, &expected.content),
            _ => Content::EMPTY,
        };
        seen(&ran, failure, content, expected)
    }

    /// A whole response.
    pub(super) fn observe_in_full(&self, guest: &Guest, case: &Case, expected: &Observed) -> Observed {
        let ran = self.run(guest, case, &[one_event(case), vec!["--output", "full"]].concat(), &case.bytes());
        let Some(text) = only_line(&ran) else {
            return seen(&ran, failure_of(&ran.stderr), Content::EMPTY, expected);
        };
        let line: Line<'_> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        // Serde takes a `null` for nothing.
        let body = line.status.map(|_| line.body.map_or("null", RawValue::get));
        let content = body.map(|body| Content::read_value(body, &expected.content));
        Observed {
            status: line.status,
            headers: of_guest(&line.fields()),
            media_type: line.headers.get("content-type").map(|value| value.as_str().unwrap().to_owned()),
            report: line.report.map(|report| report.comparable_to(expected)),
            ..seen(&ran, line.error, content.unwrap_or(Content::EMPTY), expected)
        }
    }

    fn run(&self, guest: &Guest, case: &Case, options: &[&str], stdin: &[u8]) -> Ran {
        if let Some(function) = guest.function(case) {
            self.publish(&function.name);
        }
        let function = [case.function(&guest.name)];
        let arguments: Vec<_> = case.arguments.iter().map(String::as_str).collect();
        let separator: &[&str] = if arguments.iter().any(looks_like_an_option) { &["--"] } else { &[] };
        self.nebula.run(&self.project, &[&["run"], &function[..], options, separator, &arguments].concat(), stdin)
    }

    /// Publishes a function with its settings, once.
    fn publish(&self, name: &str) {
        let (function, published) = self.functions.iter().find(|(function, _)| function.name == name).unwrap();
        published.get_or_init(|| {
            let options = ["--config", "nebula.toml"];
            drop(self.nebula.publish(&self.project, name, &function.source, &options).successful());
        });
    }
}

/// Whether an argument is taken for an option: what begins as one does, but for a number below zero whose exponent has
/// no sign.
fn looks_like_an_option(argument: &&str) -> bool {
    let number = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit()) && !rest.contains("e-");
    argument.strip_prefix('-').is_some_and(|rest| !number(rest))
}

/// The option for an event that is all of stdin, where it is not arguments alone.
fn one_event(case: &Case) -> Vec<&'static str> {
    if case.arguments.is_empty() || case.body.is_some() { vec!["--raw"] } else { vec![] }
}

fn seen(ran: &Ran, failure: Option<Failure>, content: Content, expected: &Observed) -> Observed {
    Observed {
        status: None,
        headers: BTreeMap::new(),
        exit_code: Some(ran.exit_code),
        error: failure.as_ref().map(|failure| failure.kind),
        detail: failure.and_then(|failure| containing(&failure.detail, expected.detail.as_deref())),
        media_type: None,
        content,
        broken_off: false,
        stderr: containing(&ran.stderr, expected.stderr.as_deref()),
        report: None,
    }
}

/// What the last words on stderr say of a failure: `error: KIND: DETAIL`, and its causes.
fn failure_of(stderr: &str) -> Option<Failure> {
    let (_, last) = stderr.rsplit_once("error: ")?;
    let (kind, detail) = last.split("\n  caused by:").next()?.trim_end().split_once(": ")?;
    Some(Failure { kind: serde_json::from_value(kind.into()).ok()?, detail: detail.to_owned() })
}

/// Whether `nebula run` has to end the last line of the result, which the function does not.
fn is_ended_by_nebula(case: &Case) -> bool {
    let expect = &case.expect;
    let is_text = expect.media_type().starts_with("text/") || expect.media_type() == "application/json";
    // JSON is compared without its white space: a line end is there in any case.
    let lacks_end = match expect.content(case) {
        Content::Text(text) => !text.is_empty() && !text.ends_with('\n'),
        Content::Json(_) => true,
        Content::Octets(_) | Content::Png(_) | Content::BeginningOf(_) => false,
    };
    one_event(case).is_empty() && expect.error.is_none() && is_text && lacks_end
}

fn without_line_end(stdout: &[u8]) -> &[u8] {
    stdout.strip_suffix(b"\n").unwrap_or(b"a result without the end of its last line")
}

/// The one line on stdout, if there is one.
fn only_line(ran: &Ran) -> Option<&str> {
    let text = str::from_utf8(&ran.stdout).unwrap();
    let line = text.strip_suffix('\n');
    assert!(text.is_empty() || line.is_some_and(|line| !line.contains('\n')), "not one line: {text}");
    line
}
