//! Runs a case through a frontend and returns the observation.

mod azure;
mod embedded;
mod http;
mod image;
mod lambda;
mod local;

use std::sync::{Arc, OnceLock};

use nebula_runtime::{ErrorKind, Kind};

use self::{azure::Azure, embedded::Embedded, http::Http, image::Image, lambda::LambdaEnvironments, local::Local};
use crate::{
    case::Case,
    content::Content,
    frontend::Frontend,
    guest::{Function, Guest},
    observed::{Observation, PLACEHOLDERS, ReportSummary},
    platform::no_containers,
    services::Backend,
};

/// The servers, stores and environments that the cases of one process share. Each is started when it is first needed.
pub struct Fixture {
    functions: Vec<Function>,
    backend: Arc<Backend>,
    embedded: OnceLock<Embedded>,
    http: OnceLock<Http>,
    local: OnceLock<Local>,
    lambda: OnceLock<LambdaEnvironments>,
    image: OnceLock<Image>,
    azure: OnceLock<Azure>,
}

impl Fixture {
    /// A fixture for calls of `functions`.
    pub fn new(functions: Vec<Function>) -> Self {
        let (embedded, http, local) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let (lambda, image, azure) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { functions, backend: Arc::new(Backend::start()), embedded, http, local, lambda, image, azure }
    }
}

impl Frontend {
    /// Whether this frontend runs `case`.
    pub fn runs(self, case: &Case) -> bool {
        let wanted = case.frontends.as_ref().is_none_or(|frontends| frontends.contains(&self));
        wanted && self.can_make(case)
    }

    /// Whether this frontend can make the call.
    fn can_make(self, case: &Case) -> bool {
        let (has_arguments, has_body) = (!case.arguments.is_empty(), case.body.is_some());
        match self {
            Self::Http | Self::LambdaBuffered | Self::LambdaStream | Self::Image => true,
            Self::AzureRequest => azure::forwards(case),
            _ if case.request.is_some() => false,
            Self::Embedded => true,
            Self::RunArguments => has_arguments && !has_body,
            Self::RunRaw => !has_arguments || has_body,
            Self::RunLine => !has_arguments && case.json_line().is_some(),
            Self::RunFull => true,
            // An environment whose function does not exist fails when it starts, before there is a call.
            Self::LambdaEvent => !has_arguments && case.json_line().is_some() && !case.expect.unresolved,
            Self::AzureEvent => !has_arguments && case.json_line().is_some() && azure::names_a_function(case),
        }
    }

    /// Why this frontend cannot run here. `None` if it can.
    pub fn is_missing(self) -> Option<&'static str> {
        match self {
            Self::Image => no_containers(),
            // A package has a program for Linux.
            Self::AzureRequest | Self::AzureEvent if cfg!(not(target_os = "linux")) => Some("this is not Linux"),
            _ => None,
        }
    }

    /// The observation that is expected of `case` through this frontend.
    pub fn expected(self, guest: &Guest, case: &Case) -> Observation {
        let all = expected(guest, case);
        match self {
            Self::Embedded => embedded::expected(all),
            Self::Http => http::expected(all),
            Self::RunArguments | Self::RunRaw => local::expected_raw(all),
            Self::RunLine => local::expected_line(all),
            Self::RunFull => local::expected_full(all, case),
            Self::LambdaBuffered => lambda::expected_buffered(all),
            Self::LambdaStream => lambda::expected_streamed(all),
            Self::LambdaEvent => lambda::expected_event(all, case),
            Self::Image => image::expected(all),
            Self::AzureRequest => azure::expected_of_request(all),
            Self::AzureEvent => azure::expected_of_event(all),
        }
    }

    /// Runs `case` and returns the observation.
    pub fn observe(self, fixture: &Fixture, guest: &Guest, case: &Case) -> Observation {
        let functions = || fixture.functions.as_slice();
        let backend = || Arc::clone(&fixture.backend);
        let local = || fixture.local.get_or_init(|| Local::new(functions(), &backend()));
        let azure = || fixture.azure.get_or_init(|| Azure::new(functions(), backend()));
        let lambda = || fixture.lambda.get_or_init(|| LambdaEnvironments::new(functions(), backend()));
        let http = || fixture.http.get_or_init(|| Http::new(functions(), &backend()));
        let image = || fixture.image.get_or_init(|| Image::new(functions(), &backend()));
        let embedded = || fixture.embedded.get_or_init(|| Embedded::new(functions(), &backend()));
        let expected = self.expected(guest, case);
        match self {
            Self::Embedded => embedded().observe(guest, case, &expected),
            Self::Http => http().observe(guest, case, &expected),
            Self::RunArguments | Self::RunRaw => local().observe_raw(guest, case, &expected),
            Self::RunLine => local().observe_line(guest, case, &expected),
            Self::RunFull => local().observe_full(guest, case, &expected),
            Self::LambdaBuffered => lambda().observe_buffered(guest, case, &expected),
            Self::LambdaStream => lambda().observe_streamed(guest, case, &expected),
            Self::LambdaEvent => lambda().observe_event(guest, case, &expected),
            Self::Image => image().observe(guest, case, &expected),
            Self::AzureRequest => azure().observe_request(guest, case, &expected),
            Self::AzureEvent => azure().observe_event(guest, case, &expected),
        }
    }
}

/// Everything that a case expects. Each frontend then removes what it does not show.
fn expected(guest: &Guest, case: &Case) -> Observation {
    let expect = &case.expect;
    let has_result = expect.error.is_none() || expect.breaks_off;
    Observation {
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

fn expected_report(guest: &Guest, case: &Case) -> ReportSummary {
    let expect = &case.expect;
    let function = guest.function(case).filter(|_| !expect.unresolved);
    ReportSummary {
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
        services: expect.services.clone(),
        stack: expect.stack.clone(),
    }
}

/// The size of the event if the call reached its guest. `None` for an event over the limit: timing decides how much of
/// it arrives.
fn bytes_in(guest: &Guest, case: &Case) -> Option<u64> {
    let body = case.bytes().len();
    let arguments = match guest.kind {
        Kind::Core | Kind::Typed => case.arguments.concat(),
        Kind::Command => case.arguments.join("/"),
        // The arguments are the request's path, not its body.
        Kind::Http => String::new(),
    };
    match case.expect.error {
        Some(ErrorKind::PayloadTooLarge) => None,
        Some(ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::InvalidModule) => Some(0),
        _ if body > 0 => Some(body as u64),
        _ => Some(arguments.len() as u64),
    }
}

/// The size of the result, if the case gives the exact result.
fn bytes_out(guest: &Guest, case: &Case) -> Option<u64> {
    let expect = &case.expect;
    let size = match expect.content(case) {
        Content::PrefixOf(_) | Content::Png(_) => return None,
        Content::Json(text) if PLACEHOLDERS.iter().any(|placeholder| text.contains(placeholder)) => return None,
        _ if expect.same => case.bytes().len(),
        // A command ends its output with a line end.
        Content::Json(text) => text.len() + usize::from(guest.kind == Kind::Command),
        Content::Text(text) => text.len(),
        Content::Octets(bytes) => bytes.len(),
    };
    Some(size as u64)
}
