//! Runs a case through each frontend, and tells what was seen.

mod embedded;
mod http;
mod lambda;
mod local;

use std::sync::OnceLock;

use nebula_runtime::{ErrorKind, Kind};

use self::{embedded::Embedded, http::Http, lambda::Lambdas, local::Local};
use crate::{
    case::Case,
    content::Content,
    frontend::Frontend,
    guest::{Function, Guest},
    observed::{Observed, PLACEHOLDERS, Reported},
};

/// What the calls of one process share: made when it is first needed, gone when it is dropped.
pub struct Fixture {
    functions: Vec<Function>,
    embedded: OnceLock<Embedded>,
    http: OnceLock<Http>,
    local: OnceLock<Local>,
    lambda: OnceLock<Lambdas>,
}

impl Fixture {
    /// What calls of `functions` need.
    pub fn new(functions: Vec<Function>) -> Self {
        let (embedded, http) = (OnceLock::new(), OnceLock::new());
        Self { functions, embedded, http, local: OnceLock::new(), lambda: OnceLock::new() }
    }
}

impl Frontend {
    /// Whether `case` is for this frontend.
    pub fn runs(self, case: &Case) -> bool {
        let wanted = case.frontends.as_ref().is_none_or(|frontends| frontends.contains(&self));
        wanted && self.can_make(case)
    }

    /// Whether such a call can be made here.
    fn can_make(self, case: &Case) -> bool {
        let (has_arguments, has_body) = (!case.arguments.is_empty(), case.body.is_some());
        match self {
            Self::Http | Self::LambdaBuffered | Self::LambdaStream => true,
            _ if case.request.is_some() => false,
            Self::Embedded => true,
            Self::RunArguments => has_arguments && !has_body,
            Self::RunRaw => !has_arguments || has_body,
            Self::RunLine => !has_arguments && case.json_line().is_some(),
            Self::RunFull => true,
            // Whether the function of an event is there is found out when the environment starts.
            Self::LambdaEvent => !has_arguments && case.json_line().is_some() && !case.expect.unresolved,
        }
    }

    /// What is expected to be seen of `case` here.
    pub fn expected(self, guest: &Guest, case: &Case) -> Observed {
        let all = expected(guest, case);
        match self {
            Self::Embedded => embedded::expected(all),
            Self::Http => http::expected(all),
            Self::RunArguments | Self::RunRaw => local::expected_as_it_is(all),
            Self::RunLine => local::expected_in_a_line(all),
            Self::RunFull => local::expected_in_full(all, case),
            Self::LambdaBuffered => lambda::expected_whole(all),
            Self::LambdaStream => lambda::expected_in_a_stream(all),
            Self::LambdaEvent => lambda::expected_of_an_event(all, case),
        }
    }

    /// Runs `case` and says what was seen.
    pub fn observe(self, fixture: &Fixture, guest: &Guest, case: &Case) -> Observed {
        let functions = || fixture.functions.as_slice();
        let local = || fixture.local.get_or_init(|| Local::new(functions()));
        let lambda = || fixture.lambda.get_or_init(|| Lambdas::new(functions()));
        let expected = self.expected(guest, case);
        match self {
            Self::Embedded => {
                fixture.embedded.get_or_init(|| Embedded::new(functions())).observe(guest, case, &expected)
            }
            Self::Http => fixture.http.get_or_init(|| Http::new(functions())).observe(guest, case, &expected),
            Self::RunArguments | Self::RunRaw => local().observe_as_it_is(guest, case, &expected),
            Self::RunLine => local().observe_in_a_line(guest, case, &expected),
            Self::RunFull => local().observe_in_full(guest, case, &expected),
            Self::LambdaBuffered => lambda().observe_whole(guest, case, &expected),
            Self::LambdaStream => lambda().observe_in_a_stream(guest, case, &expected),
            Self::LambdaEvent => lambda().observe_an_event(guest, case, &expected),
        }
    }
}

/// All that a case says: what a frontend does not show, it takes away.
fn expected(guest: &Guest, case: &Case) -> Observed {
    let expect = &case.expect;
    let has_result = expect.error.is_none() || expect.breaks_off;
    Observed {
        status: expect.status.or(has_result.then_some(200)),
        headers: expect.headers.clone(),
        exit_code: expect.exit_code,
        error: expect.error,
        detail: expect.detail.clone(),
        media_type: has_result.then(|| expect.media_type().to_owned()).filter(|media_type| !media_type.is_empty()),
        content: expect.content(case),
        broken_off: expect.breaks_off,
        stderr: expect.stderr.clone(),
        report: Some(expected_report(guest, case)),
    }
}

fn expected_report(guest: &Guest, case: &Case) -> Reported {
    let expect = &case.expect;
    let function = guest.function(case).filter(|_| !expect.unresolved);
    Reported {
        function: case.function(&guest.name).to_owned(),
        version: function.map(|_| expect.version.unwrap_or(1)),
        digest: function.map(Function::digest),
        kind: function.map(|_| guest.kind.to_string()),
        frontend: String::new(),
        outcome: Some(expect.error.map_or("ok", ErrorKind::as_str).to_owned()),
        start: "cold".to_owned(),
        bytes_in: expect.bytes_in.or_else(|| bytes_in(guest, case)),
        bytes_out: expect.bytes_out.or_else(|| bytes_out(guest, case)),
        peak_memory: expect.peak_memory,
    }
}

/// All of the event, of a call that reached its guest. How much of a larger one came is a matter of time.
fn bytes_in(guest: &Guest, case: &Case) -> Option<u64> {
    let body = case.bytes().len();
    let arguments = match guest.kind {
        Kind::Core | Kind::Typed => case.arguments.concat(),
        Kind::Command => case.arguments.join("/"),
        // They are the request's path.
        Kind::Http => String::new(),
    };
    match case.expect.error {
        Some(ErrorKind::PayloadTooLarge) => None,
        Some(ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::InvalidModule) => Some(0),
        _ if body > 0 => Some(body as u64),
        _ => Some(arguments.len() as u64),
    }
}

/// All of the result, where the case says exactly what that is.
fn bytes_out(guest: &Guest, case: &Case) -> Option<u64> {
    let expect = &case.expect;
    let size = match expect.content(case) {
        Content::BeginningOf(_) | Content::Png(_) => return None,
        Content::Json(text) if PLACEHOLDERS.iter().any(|placeholder| text.contains(placeholder)) => return None,
        _ if expect.same => case.bytes().len(),
        // Commands print lines.
        Content::Json(text) => text.len() + usize::from(guest.kind == Kind::Command),
        Content::Text(text) => text.len(),
        Content::Octets(bytes) => bytes.len(),
    };
    Some(size as u64)
}
