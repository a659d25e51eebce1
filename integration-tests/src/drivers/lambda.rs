//! Events in AWS Lambda environments.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock},
};

use ::http::{HeaderMap, HeaderName, HeaderValue, header::SET_COOKIE};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use nebula_runtime::ErrorKind;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::http;
use crate::{
    case::Case,
    content::Content,
    guest::{Function, Guest},
    lambda::Lambda,
    observed::{Observation, PLACEHOLDERS, ReportSummary, expected_part, guest_headers, with_placeholders},
    package::Package,
    runtime_api::Event,
    server::HttpResponse,
    services::Backend,
};

/// The environments of one package. Each is started when it is first needed.
pub(super) struct LambdaEnvironments {
    package: Package,
    backend: Arc<Backend>,
    buffered: OnceLock<Lambda>,
    streaming: OnceLock<Lambda>,
    /// One environment for each function that receives events.
    events: Mutex<HashMap<String, Arc<Lambda>>>,
}

/// The host name of the function URL.
const HOST: &str = "tests.lambda-url.eu-central-1.on.aws";

/// The part of the expected observation that a buffered response shows. It can become an error until its end.
pub(super) fn expected_buffered(all: Observation) -> Observation {
    let error = all.error;
    // The status of a response that breaks off is the one that it began with.
    let own_status = all.status.filter(|_| !all.broken_off);
    Observation {
        detail: all.detail.clone(),
        error,
        status: own_status.or(error.map(http::status)).or(all.status),
        media_type: all.media_type.clone().filter(|_| error.is_none()),
        content: if error.is_some() { Content::EMPTY } else { all.content.clone() },
        broken_off: false,
        ..expected(all)
    }
}

/// The part of the expected observation that a streamed response shows. Its trailers say why it breaks off.
pub(super) fn expected_streamed(all: Observation) -> Observation {
    let (error, detail) = (all.error, all.detail.clone());
    Observation { error, detail, ..expected(http::expected(all)) }
}

/// The part of the expected observation that an event other than a request shows.
pub(super) fn expected_event(all: Observation, case: &Case) -> Observation {
    let content = match (&all.error, &all.media_type) {
        (None, Some(media_type)) => all.content.as_value(media_type),
        _ => Content::EMPTY,
    };
    let (status, headers) = (None, BTreeMap::new());
    let mut expected = Observation { status, headers, content, media_type: None, broken_off: false, ..expected(all) };
    // The frontend removes white space around an event.
    let (sent, trimmed) = (case.bytes().len() as u64, case.json_line().unwrap_or_default().trim().len() as u64);
    if let Some(report) = &mut expected.report {
        report.bytes_in = report.bytes_in.map(|bytes| if bytes == sent { trimmed } else { bytes });
    }
    expected
}

fn expected(all: Observation) -> Observation {
    let report = all.report.map(|report| ReportSummary { frontend: "lambda".to_owned(), ..report.without_lines() });
    Observation { exit_code: None, report, ..all }
}

impl LambdaEnvironments {
    pub(super) fn new(functions: &[Function], backend: Arc<Backend>) -> Self {
        let package = Package::new(functions);
        Self { package, backend, buffered: OnceLock::new(), streaming: OnceLock::new(), events: Mutex::default() }
    }

    /// Makes a call whose response is buffered.
    pub(super) fn observe_buffered(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let lambda = self.buffered.get_or_init(|| self.start("lambda-buffered", []));
        let event = request(guest, case);
        let id = event.id.clone();
        let lambda_response = lambda.invoke(event);
        let answer: BufferedResponse = serde_json::from_value(lambda_response.json())
            .unwrap_or_else(|error| panic!("{error}: {lambda_response:?}"));
        let body =
            if answer.is_base64_encoded { STANDARD.decode(answer.body).unwrap() } else { answer.body.into_bytes() };
        let response = HttpResponse {
            status: answer.status_code,
            headers: headers(&answer.headers, &answer.cookies),
            body,
            broken_off: false,
        };
        observation(lambda, &id, &response, expected)
    }

    /// Makes a call whose response is streamed.
    pub(super) fn observe_streamed(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let mode = ("NEBULA_INVOKE_MODE", "RESPONSE_STREAM");
        let lambda = self.streaming.get_or_init(|| self.start("lambda-stream", [mode]));
        let event = request(guest, case);
        let id = event.id.clone();
        let lambda_response = lambda.invoke(event);
        assert_eq!(lambda_response.headers["lambda-runtime-function-response-mode"], "streaming");
        let (prelude, body) = lambda_response.streamed();
        let prelude: Prelude = serde_json::from_value(prelude).unwrap();
        let (headers, broken_off) = (headers(&prelude.headers, &prelude.cookies), !lambda_response.trailers.is_empty());
        let response = HttpResponse { status: prelude.status_code, headers, body: body.to_owned(), broken_off };
        let failure = broken_off.then(|| Failure::of_trailers(&lambda_response.trailers));
        let observed = observation(lambda, &id, &response, expected);
        match failure {
            Some(failure) => Observation { error: failure.kind(), detail: Some(failure.error_message), ..observed },
            None => observed,
        }
    }

    /// Makes a call by an event that is not a request.
    pub(super) fn observe_event(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let lambda = self.environment_of(case.function(&guest.name));
        let event = Event::new(case.json_line().unwrap());
        let id = event.id.clone();
        let lambda_response = lambda.invoke(event);
        let failure = (lambda_response.endpoint == "error").then(|| {
            let failure: Failure = serde_json::from_value(lambda_response.json()).unwrap();
            failure
        });
        let report: ReportSummary = serde_json::from_value(lambda.report(&id)).unwrap();
        let content = match &failure {
            Some(_) => Content::EMPTY,
            None => {
                let result: Box<RawValue> =
                    serde_json::from_slice(&with_placeholders(&lambda_response.body, &[(&id, PLACEHOLDERS[0])]))
                        .unwrap();
                Content::read_value(result.get(), &expected.content)
            }
        };
        Observation {
            status: None,
            headers: BTreeMap::new(),
            exit_code: None,
            error: failure.as_ref().and_then(Failure::kind),
            detail: failure.as_ref().map(|failure| failure.error_message.clone()),
            media_type: None,
            content,
            broken_off: false,
            stderr: expected_part(&lambda.guest_stderr(&id), expected.stderr.as_deref()),
            report: Some(comparable(report, expected)),
        }
    }

    fn environment_of(&self, function: &str) -> Arc<Lambda> {
        let mut events = self.events.lock().unwrap();
        let start = || Arc::new(self.start("lambda-event", [("NEBULA_FUNCTION", function)]));
        Arc::clone(events.entry(function.to_owned()).or_insert_with(start))
    }

    /// Starts an environment on a node of this name, with more variables.
    fn start<const N: usize>(&self, node: &str, more: [(&str, &str); N]) -> Lambda {
        let variables = self.backend.node(node, self.package.folder());
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str())).chain(more);
        Lambda::start(&self.package, &variables.collect::<Vec<_>>())
    }
}

/// A response in payload format 2.0. No other members are allowed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BufferedResponse {
    status_code: u16,
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    is_base64_encoded: bool,
    cookies: Vec<String>,
    #[serde(rename = "multiValueHeaders")]
    _multi_value_headers: Map<String, Value>,
}

/// The prelude of a streamed response. No other members are allowed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prelude {
    status_code: u16,
    headers: Map<String, Value>,
    cookies: Vec<String>,
}

/// A Lambda function error.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Failure {
    error_type: String,
    error_message: String,
}

impl Failure {
    fn of_trailers(trailers: &HeaderMap) -> Self {
        let body = STANDARD.decode(&trailers["lambda-runtime-function-error-body"]).unwrap();
        let failure: Self = serde_json::from_slice(&body).unwrap();
        assert_eq!(trailers["lambda-runtime-function-error-type"], failure.error_type);
        failure
    }

    fn kind(&self) -> Option<ErrorKind> {
        serde_json::from_value(self.error_type.as_str().into()).ok()
    }
}

/// The event that a function URL makes of a case.
fn request(guest: &Guest, case: &Case) -> Event {
    let body = case.body.as_ref().map(|_| case.bytes().into_owned());
    let request = http::head(guest, case).header("host", HOST).header("user-agent", "nebula-tests");
    Event::of_request(&request.body(body).unwrap())
}

fn headers(headers: &Map<String, Value>, cookies: &[String]) -> HeaderMap {
    let field = |(name, value): (&String, &Value)| {
        let value = value.as_str().unwrap();
        (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap())
    };
    let cookie = |cookie: &String| (SET_COOKIE, HeaderValue::try_from(cookie).unwrap());
    headers.iter().map(field).chain(cookies.iter().map(cookie)).collect()
}

fn observation(lambda: &Lambda, id: &str, response: &HttpResponse, expected: &Observation) -> Observation {
    let report: ReportSummary = serde_json::from_value(lambda.report(id)).unwrap();
    assert_eq!(response.header("nebula-invocation-id"), Some(id));
    // A buffered response that became an error after it began has no timing.
    if response.headers.contains_key("server-timing") {
        http::check_headers(&response.headers, &report);
    }
    let problem = http::is_problem(response).then(|| http::problem(response, id));
    let content = Content::read(
        &with_placeholders(&response.body, &[(id, PLACEHOLDERS[0]), (HOST, PLACEHOLDERS[1])]),
        &expected.content,
    );
    Observation {
        status: Some(response.status),
        headers: guest_headers(&response.headers),
        exit_code: None,
        error: problem.as_ref().map(|problem| problem.kind),
        detail: problem.as_ref().map(|problem| problem.detail.clone()),
        media_type: response.header("content-type").filter(|_| problem.is_none()).map(str::to_owned),
        content: if problem.is_some() { Content::EMPTY } else { content },
        broken_off: response.broken_off,
        stderr: expected_part(&lambda.guest_stderr(id), expected.stderr.as_deref()),
        report: Some(comparable(report, expected)),
    }
}

/// The report as it can be compared: the cases share environments.
fn comparable(report: ReportSummary, expected: &Observation) -> ReportSummary {
    report.started_as(expected).comparable_to(expected)
}
