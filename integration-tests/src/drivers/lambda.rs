//! Events of AWS Lambda.

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
    observed::{Observed, PLACEHOLDERS, Reported, containing, normalized, of_guest},
    package::Package,
    runtime_api::Event,
    server::Answered,
};

/// Environments of one package.
pub(super) struct Lambdas {
    package: Package,
    buffered: OnceLock<Lambda>,
    streaming: OnceLock<Lambda>,
    /// One for each function that events are for.
    events: Mutex<HashMap<String, Arc<Lambda>>>,
}

/// The host of a function URL.
const HOST: &str = "tests.lambda-url.eu-central-1.on.aws";

/// What is expected of an answer that is sent whole: it can still become a failure at its end.
pub(super) fn expected_whole(all: Observed) -> Observed {
    let error = all.error;
    // Of an answer that would break off, the status is of what came before.
    let own_status = all.status.filter(|_| !all.broken_off);
    Observed {
        detail: all.detail.clone(),
        error,
        status: own_status.or(error.map(http::status)).or(all.status),
        media_type: all.media_type.clone().filter(|_| error.is_none()),
        content: if error.is_some() { Content::EMPTY } else { all.content.clone() },
        broken_off: false,
        ..expected(all)
    }
}

/// What is expected of an answer that is sent as it is written: it says why it breaks off.
pub(super) fn expected_in_a_stream(all: Observed) -> Observed {
    let (error, detail) = (all.error, all.detail.clone());
    Observed { error, detail, ..expected(http::expected(all)) }
}

/// What is expected of an event that is no request.
pub(super) fn expected_of_an_event(all: Observed, case: &Case) -> Observed {
    let content = match (&all.error, &all.media_type) {
        (None, Some(media_type)) => all.content.as_value(media_type),
        _ => Content::EMPTY,
    };
    let (status, headers) = (None, BTreeMap::new());
    let mut expected = Observed { status, headers, content, media_type: None, broken_off: false, ..expected(all) };
    // White space around an event is not a part of it.
    let (sent, trimmed) = (case.bytes().len() as u64, case.json_line().unwrap_or_default().trim().len() as u64);
    if let Some(report) = &mut expected.report {
        report.bytes_in = report.bytes_in.map(|bytes| if bytes == sent { trimmed } else { bytes });
    }
    expected
}

fn expected(all: Observed) -> Observed {
    let report = all.report.map(|report| Reported { frontend: "lambda".to_owned(), ..report });
    Observed { exit_code: None, report, ..all }
}

impl Lambdas {
    pub(super) fn new(functions: &[Function]) -> Self {
        let package = Package::new(functions);
        Self { package, buffered: OnceLock::new(), streaming: OnceLock::new(), events: Mutex::default() }
    }

    /// An answer that is sent whole.
    pub(super) fn observe_whole(&self, guest: &Guest, case: &Case, expected: &Observed) -> Observed {
        let lambda = self.buffered.get_or_init(|| Lambda::start(&self.package, &[]));
        let event = request(guest, case);
        let id = event.id.clone();
        let invoked = lambda.invoke(event);
        let answer: Buffered =
            serde_json::from_value(invoked.json()).unwrap_or_else(|error| panic!("{error}: {invoked:?}"));
        let body =
            if answer.is_base64_encoded { STANDARD.decode(answer.body).unwrap() } else { answer.body.into_bytes() };
        let answered = Answered {
            status: answer.status_code,
            headers: headers(&answer.headers, &answer.cookies),
            body,
            broken_off: false,
        };
        seen(lambda, &id, &answered, expected)
    }

    /// An answer that is sent as it is written.
    pub(super) fn observe_in_a_stream(&self, guest: &Guest, case: &Case, expected: &Observed) -> Observed {
        let variables = [("NEBULA_INVOKE_MODE", "RESPONSE_STREAM")];
        let lambda = self.streaming.get_or_init(|| Lambda::start(&self.package, &variables));
        let event = request(guest, case);
        let id = event.id.clone();
        let invoked = lambda.invoke(event);
        assert_eq!(invoked.headers["lambda-runtime-function-response-mode"], "streaming");
        let (prelude, body) = invoked.streamed();
        let prelude: Prelude = serde_json::from_value(prelude).unwrap();
        let (headers, broken_off) = (headers(&prelude.headers, &prelude.cookies), !invoked.trailers.is_empty());
        let answered = Answered { status: prelude.status_code, headers, body: body.to_owned(), broken_off };
        let failure = broken_off.then(|| Failure::of_trailers(&invoked.trailers));
        let seen = seen(lambda, &id, &answered, expected);
        match failure {
            Some(failure) => Observed { error: failure.kind(), detail: Some(failure.error_message), ..seen },
            None => seen,
        }
    }

    /// The result of an event that is no request.
    pub(super) fn observe_an_event(&self, guest: &Guest, case: &Case, expected: &Observed) -> Observed {
        let lambda = self.of_function(case.function(&guest.name));
        let event = Event::new(case.json_line().unwrap());
        let id = event.id.clone();
        let invoked = lambda.invoke(event);
        let failure = (invoked.endpoint == "error").then(|| {
            let failure: Failure = serde_json::from_value(invoked.json()).unwrap();
            failure
        });
        let report: Reported = serde_json::from_value(lambda.report(&id)).unwrap();
        let content = match &failure {
            Some(_) => Content::EMPTY,
            None => {
                let result: Box<RawValue> =
                    serde_json::from_slice(&normalized(&invoked.body, &[(&id, PLACEHOLDERS[0])])).unwrap();
                Content::read_value(result.get(), &expected.content)
            }
        };
        Observed {
            status: None,
            headers: BTreeMap::new(),
            exit_code: None,
            error: failure.as_ref().and_then(Failure::kind),
            detail: failure.as_ref().map(|failure| failure.error_message.clone()),
            media_type: None,
            content,
            broken_off: false,
            stderr: containing(&lambda.guest_stderr(&id), expected.stderr.as_deref()),
            report: Some(comparable(report, expected)),
        }
    }

    fn of_function(&self, function: &str) -> Arc<Lambda> {
        let mut events = self.events.lock().unwrap();
        let start = || Arc::new(Lambda::start(&self.package, &[("NEBULA_FUNCTION", function)]));
        Arc::clone(events.entry(function.to_owned()).or_insert_with(start))
    }
}

/// An answer in payload format 2.0, and nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Buffered {
    status_code: u16,
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    is_base64_encoded: bool,
    cookies: Vec<String>,
    #[serde(rename = "multiValueHeaders")]
    _multi_value_headers: Map<String, Value>,
}

/// What comes before a streamed body, and nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Prelude {
    status_code: u16,
    headers: Map<String, Value>,
    cookies: Vec<String>,
}

/// A function error.
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

/// A case as an event of a function URL.
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

fn seen(lambda: &Lambda, id: &str, answered: &Answered, expected: &Observed) -> Observed {
    let report: Reported = serde_json::from_value(lambda.report(id)).unwrap();
    assert_eq!(answered.header("nebula-invocation-id"), Some(id));
    // One that broke off when it was whole has only its failure's fields.
    if answered.headers.contains_key("server-timing") {
        http::check_headers(&answered.headers, &report);
    }
    let problem = http::is_problem(answered).then(|| http::problem(answered, id));
    let content = Content::read(
        &normalized(&answered.body, &[(id, PLACEHOLDERS[0]), (HOST, PLACEHOLDERS[1])]),
        &expected.content,
    );
    Observed {
        status: Some(answered.status),
        headers: of_guest(&answered.headers),
        exit_code: None,
        error: problem.as_ref().map(|problem| problem.kind),
        detail: problem.as_ref().map(|problem| problem.detail.clone()),
        media_type: answered.header("content-type").filter(|_| problem.is_none()).map(str::to_owned),
        content: if problem.is_some() { Content::EMPTY } else { content },
        broken_off: answered.broken_off,
        stderr: containing(&lambda.guest_stderr(id), expected.stderr.as_deref()),
        report: Some(comparable(report, expected)),
    }
}

/// Whether code was in memory is a matter of which case came before: environments are shared.
fn comparable(report: Reported, expected: &Observed) -> Reported {
    assert!(matches!(report.start.as_str(), "cold" | "warm"), "{}", report.start);
    let start = expected.report.as_ref().map_or(report.start.clone(), |expected| expected.start.clone());
    Reported { start, ..report }.comparable_to(expected)
}
