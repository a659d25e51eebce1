//! Requests to `nebula serve`.

use ::http::{HeaderMap, Method, Request, StatusCode, request::Builder};
use nebula_runtime::ErrorKind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use ureq::SendBody;

use crate::{
    case::Case,
    content::Content,
    guest::{Function, Guest},
    nebula::Nebula,
    observed::{Observed, PLACEHOLDERS, Reported, containing, normalized, of_guest},
    project::Project,
    server::{Answered, Server},
};

/// A server of some functions.
pub(super) struct Http {
    server: Server,
    // Its store and the folders that functions are granted are in there.
    _project: Project,
}

/// What is expected to be seen here.
pub(super) fn expected(all: Observed) -> Observed {
    let begins = all.error.is_none() || all.broken_off;
    let report = all.report.map(|report| Reported {
        frontend: "http".to_owned(),
        // The server published it when it started, which brought its code into memory.
        start: if report.version.is_some() { "warm" } else { "cold" }.to_owned(),
        ..report
    });
    Observed {
        status: all.status.or(all.error.map(status)),
        exit_code: None,
        // The status is gone when a response breaks off, and nothing more can be said.
        error: all.error.filter(|_| !begins),
        detail: all.detail.filter(|_| !begins),
        // Output before a failure is held back.
        content: if begins { all.content } else { Content::EMPTY },
        report,
        ..all
    }
}

/// The statuses of the design.
pub(super) fn status(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::InvalidInput => 400,
        ErrorKind::NotFound => 404,
        ErrorKind::PayloadTooLarge => 413,
        ErrorKind::GuestError => 422,
        ErrorKind::InvalidModule | ErrorKind::Internal => 500,
        ErrorKind::GuestFault | ErrorKind::LimitExceeded => 502,
        ErrorKind::Overloaded | ErrorKind::Unavailable => 503,
        ErrorKind::Timeout => 504,
    }
}

/// The body of every failure (RFC 9457), and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Problem {
    r#type: String,
    title: String,
    status: u16,
    pub(super) detail: String,
    pub(super) kind: ErrorKind,
    invocation_id: String,
}

impl Http {
    pub(super) fn new(functions: &[Function]) -> Self {
        let project = Project::new(functions);
        let server = Server::start(&Nebula::built(), &project, &[]).unwrap_or_else(|ran| panic!("{ran:#?}"));
        Self { server, _project: project }
    }

    pub(super) fn observe(&self, guest: &Guest, case: &Case, expected: &Observed) -> Observed {
        let answered = self.server.send(request(guest, case));
        let id = answered.header("nebula-invocation-id").expect("every answer names its invocation").to_owned();
        let report: Reported = serde_json::from_value(self.server.report(&id)).unwrap();
        check_headers(&answered.headers, &report);
        let problem = is_problem(&answered).then(|| problem(&answered, &id));
        let placeholders = [(id.as_str(), PLACEHOLDERS[0]), (self.server.address(), PLACEHOLDERS[1])];
        let content = Content::read(&normalized(&answered.body, &placeholders), &expected.content);
        Observed {
            status: Some(answered.status),
            headers: of_guest(&answered.headers),
            exit_code: None,
            error: problem.as_ref().map(|problem| problem.kind),
            detail: problem.as_ref().map(|problem| problem.detail.clone()),
            media_type: answered.header("content-type").filter(|_| problem.is_none()).map(str::to_owned),
            content: if problem.is_some() { Content::EMPTY } else { content },
            broken_off: answered.broken_off,
            stderr: containing(&self.server.guest_stderr(&id), expected.stderr.as_deref()),
            report: Some(report.comparable_to(expected)),
        }
    }
}

/// The request of a case, but for its body.
pub(super) fn head(guest: &Guest, case: &Case) -> Builder {
    /// RFC 3986, section 2.3: unreserved characters.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

    let special = case.request.clone().unwrap_or_default();
    let argument = |argument: &String| format!("/{}", utf8_percent_encode(argument, ENCODED));
    let arguments = || case.arguments.iter().map(argument).collect::<String>();
    let path = special.path.unwrap_or_else(arguments);
    let query = special.query.map(|query| format!("?{query}")).unwrap_or_default();
    let implied = if case.body.is_some() { Method::POST } else { Method::GET };
    let method = special.method.map_or(implied, |method| method.parse().unwrap());
    let mut request =
        Request::builder().method(method).uri(format!("/api/{}{path}{query}", case.function(&guest.name)));
    for (name, value) in &special.headers {
        request = request.header(name, value);
    }
    if case.body.is_some() && !special.chunked {
        request = request.header("content-length", case.bytes().len());
    }
    request
}

fn request(guest: &Guest, case: &Case) -> Request<SendBody<'static>> {
    let bytes = case.bytes().into_owned();
    let body = match case.body {
        None => SendBody::none(),
        Some(_) => SendBody::from_owned_reader(std::io::Cursor::new(bytes)),
    };
    head(guest, case).body(body).unwrap()
}

/// What the headers of an answer say is what its report says.
pub(super) fn check_headers(headers: &HeaderMap, report: &Reported) {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("nebula-digest"), report.digest.as_deref());
    let timing = header("server-timing").unwrap_or_default();
    assert!(timing.starts_with(&format!("start;desc={}, queued;dur=", report.start)), "{timing}");
}

/// Whether an answer is a problem: a function may well answer with the status of one.
pub(super) fn is_problem(answered: &Answered) -> bool {
    answered.header("content-type") == Some("application/problem+json")
}

/// The problem that an answer is, whose parts all say the same.
pub(super) fn problem(answered: &Answered, id: &str) -> Problem {
    let problem: Problem =
        serde_json::from_slice(&answered.body).unwrap_or_else(|error| panic!("{error}: {}", answered.text()));
    assert_eq!(problem.r#type, format!("urn:nebula:error:{}", problem.kind));
    assert_eq!((problem.status, problem.invocation_id.as_str()), (answered.status, id));
    assert!(StatusCode::from_u16(problem.status).is_ok() && !problem.title.is_empty());
    problem
}
