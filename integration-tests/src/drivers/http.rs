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
    observed::{Observation, PLACEHOLDERS, ReportSummary, expected_part, guest_headers, with_placeholders},
    project::Project,
    server::{HttpResponse, Server},
    services::Backend,
};

/// A server with some functions.
pub(super) struct Http {
    server: Server,
    // Its folder holds the store, and the folders that functions are granted.
    _project: Project,
}

/// The part of the expected observation that the HTTP server shows.
pub(super) fn expected(all: Observation) -> Observation {
    let begins = all.error.is_none() || all.broken_off;
    let report = all.report.map(|report| ReportSummary {
        frontend: "http".to_owned(),
        // The server published the function when it started, which loaded its code into memory.
        start: if report.version.is_some() { "warm" } else { "cold" }.to_owned(),
        ..report
    });
    Observation {
        status: all.status.or(all.error.map(status)),
        exit_code: None,
        // When a response breaks off, its status has been sent already. The server cannot send an error any more.
        error: all.error.filter(|_| !begins),
        detail: all.detail.filter(|_| !begins),
        // The server holds back output before a failure.
        content: if begins { all.content } else { Content::EMPTY },
        report,
        ..all
    }
}

/// The HTTP status of each kind of error.
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

/// A problem document (RFC 9457), the body of every error. No other members are allowed.
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
    pub(super) fn new(functions: &[Function], backend: &Backend) -> Self {
        let project = Project::new(functions);
        let nebula = Nebula::built().with_environment(backend.node("http", project.path()));
        let server = Server::start(&nebula, &project, &[]).unwrap_or_else(|output| panic!("{output:#?}"));
        Self { server, _project: project }
    }

    pub(super) fn observe(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        observe(&self.server, request(guest, case), expected)
    }
}

/// Sends a request to a server.
pub(super) fn observe(server: &Server, request: Request<SendBody<'_>>, expected: &Observation) -> Observation {
    let response = server.send(request);
    let id = response.header("nebula-invocation-id").expect("every response has the id of its invocation").to_owned();
    let report: ReportSummary = serde_json::from_value(server.report(&id)).unwrap();
    check_headers(&response.headers, &report);
    let problem = is_problem(&response).then(|| problem(&response, &id));
    let placeholders = [(id.as_str(), PLACEHOLDERS[0]), (server.address(), PLACEHOLDERS[1])];
    let content = Content::read(&with_placeholders(&response.body, &placeholders), &expected.content);
    Observation {
        status: Some(response.status),
        headers: guest_headers(&response.headers),
        exit_code: None,
        error: problem.as_ref().map(|problem| problem.kind),
        detail: problem.as_ref().map(|problem| problem.detail.clone()),
        media_type: response.header("content-type").filter(|_| problem.is_none()).map(str::to_owned),
        content: if problem.is_some() { Content::EMPTY } else { content },
        broken_off: response.broken_off,
        stderr: expected_part(&server.guest_stderr(&id), expected.stderr.as_deref()),
        report: Some(report.comparable_to(expected)),
    }
}

/// The request of a case, without its body.
pub(super) fn head(guest: &Guest, case: &Case) -> Builder {
    /// RFC 3986, section 2.3: unreserved characters.
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

    let parts = case.request.clone().unwrap_or_default();
    let argument = |argument: &String| format!("/{}", utf8_percent_encode(argument, ENCODED));
    let arguments = || case.arguments.iter().map(argument).collect::<String>();
    let path = parts.path.unwrap_or_else(arguments);
    let query = parts.query.map(|query| format!("?{query}")).unwrap_or_default();
    let default = if case.body.is_some() { Method::POST } else { Method::GET };
    let method = parts.method.map_or(default, |method| method.parse().unwrap());
    let mut request =
        Request::builder().method(method).uri(format!("/api/{}{path}{query}", case.function(&guest.name)));
    for (name, value) in &parts.headers {
        request = request.header(name, value);
    }
    if case.body.is_some() && !parts.chunked {
        request = request.header("content-length", case.bytes().len());
    }
    request
}

pub(super) fn request(guest: &Guest, case: &Case) -> Request<SendBody<'static>> {
    let bytes = case.bytes().into_owned();
    let body = match case.body {
        None => SendBody::none(),
        Some(_) => SendBody::from_owned_reader(std::io::Cursor::new(bytes)),
    };
    head(guest, case).body(body).unwrap()
}

/// Checks that the header fields of a response agree with its report.
pub(super) fn check_headers(headers: &HeaderMap, report: &ReportSummary) {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("nebula-digest"), report.digest.as_deref());
    let timing = header("server-timing").unwrap_or_default();
    assert!(timing.starts_with(&format!("start;desc={}, queued;dur=", report.start)), "{timing}");
}

/// Whether a response is a problem document. The status does not tell, because a function may set any status.
pub(super) fn is_problem(response: &HttpResponse) -> bool {
    response.header("content-type") == Some("application/problem+json")
}

/// Reads a problem document, and checks that its members agree with each other.
pub(super) fn problem(response: &HttpResponse, id: &str) -> Problem {
    let problem: Problem =
        serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {}", response.text()));
    assert_eq!(problem.r#type, format!("urn:nebula:error:{}", problem.kind));
    assert_eq!((problem.status, problem.invocation_id.as_str()), (response.status, id));
    assert!(StatusCode::from_u16(problem.status).is_ok() && !problem.title.is_empty());
    problem
}
