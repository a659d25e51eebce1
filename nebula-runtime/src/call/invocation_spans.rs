//! The spans of an invocation itself, made from its report when it has ended. Their names and attributes are those of
//! OpenTelemetry's semantic conventions, where there are some.

use std::{borrow::Cow, net::IpAddr, time::SystemTime};

use http::{Version, header};

use super::{
    error::ErrorKind,
    event::{Event, Input},
    report::{Outcome, Report, Start},
    trace::{AttributeValue, Attributes, Parts, Recording, Span, SpanId, SpanKind, SpanStatus},
};

/// What the span of a request tells of it.
pub(crate) struct RequestFacts {
    method: String,
    path: String,
    /// The path at which the function is, which is the same for all requests of it.
    route: String,
    scheme: Option<String>,
    host: Option<String>,
    user_agent: Option<String>,
    version: &'static str,
    client: Option<IpAddr>,
}

/// All that the spans of an invocation are made from.
pub(crate) struct InvocationSpans<'a> {
    pub(crate) recording: &'a Recording,
    pub(crate) report: Report,
    pub(crate) request: Option<&'a RequestFacts>,
    /// The status of the answer; 0 if there is none.
    pub(crate) status: u16,
    /// When the answer ended.
    pub(crate) ended: SystemTime,
    pub(crate) parts: Parts,
}

impl RequestFacts {
    /// What is told of the request, if the event is one.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let Input::Http(request) = event.input() else { return None };
        let field = |name| request.headers().get(name)?.to_str().ok().map(str::to_owned);
        Some(Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            route: event.mount().to_owned(),
            scheme: request.uri().scheme_str().map(str::to_owned),
            host: request.uri().host().map(str::to_owned).or_else(|| field(header::HOST)),
            user_agent: field(header::USER_AGENT),
            version: version(request.version()),
            client: event.client(),
        })
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = vec![
            text("http.request.method", self.method.clone()),
            text("url.path", self.path.clone()),
            text("url.scheme", self.scheme.clone().unwrap_or_else(|| "http".to_owned())),
            text("network.protocol.version", self.version),
        ];
        let client = self.client.map(|client| client.to_string());
        let known = [
            ("http.route", Some(self.route.clone()).filter(|route| !route.is_empty())),
            ("server.address", self.host.clone()),
            ("user_agent.original", self.user_agent.clone()),
            ("client.address", client),
        ];
        attributes.extend(known.into_iter().filter_map(|(name, value)| Some(text(name, value?))));
        attributes
    }
}

impl InvocationSpans<'_> {
    /// The spans of the request, of the invocation, of making the instance, and of the guest.
    pub(crate) fn all(&self) -> Vec<Span> {
        let request = self.request.map(|request| (request, SpanId::random()));
        let mut spans = vec![self.invocation(request.map(|(_, id)| id))];
        spans.extend(request.map(|(request, id)| self.request(request, id)));
        if let (Some(ready), Some(began)) = (self.parts.ready, self.parts.guest_began(self.report.instantiating)) {
            let instance = self.span(SpanId::random(), "instantiate", (ready, began));
            spans.push(self.within_invocation(instance));
            let ended = self.parts.guest_ended.max(began);
            let guest = self.span(self.recording.guest().span, "run", (began, ended));
            let mut guest = self.within_invocation(guest);
            guest.status = self.status_of_invocation();
            spans.push(guest);
        }
        spans
    }

    fn request(&self, request: &RequestFacts, id: SpanId) -> Span {
        // The names of functions that do not exist are whatever callers send.
        let route = Some(&request.route).filter(|route| self.report.version.is_some() && !route.is_empty());
        let name = route.map_or_else(|| request.method.clone(), |route| format!("{} {route}", request.method));
        let mut span = self.span(id, name, (self.parts.began, self.ended));
        (span.kind, span.parent) = (SpanKind::Server, self.recording.parent());
        span.attributes = request.attributes();
        if self.status != 0 {
            span.attributes.push(number("http.response.status_code", self.status));
        }
        if self.status >= 500 {
            span.attributes.push(text("error.type", self.status.to_string()));
            span.status = self.status_of_invocation();
        }
        span
    }

    fn invocation(&self, request: Option<SpanId>) -> Span {
        let report = &self.report;
        let name = match report.version {
            Some(_) => format!("invoke {}", report.function.name()),
            None => "invoke".to_owned(),
        };
        let mut span = self.span(self.recording.invocation, name, (self.parts.began, self.ended));
        span.parent = request.or(self.recording.parent());
        span.kind = if request.is_some() { SpanKind::Internal } else { SpanKind::Server };
        span.status = self.status_of_invocation();
        span.attributes = self.attributes();
        span
    }

    fn attributes(&self) -> Attributes {
        let report = &self.report;
        let outcome = report.outcome.unwrap_or(Outcome::Cancelled);
        let mut attributes = vec![
            text("faas.name", report.function.name().to_string()),
            text("faas.trigger", if self.request.is_some() { "http" } else { "other" }),
            text("faas.invocation_id", report.id.to_string()),
            ("faas.coldstart".into(), AttributeValue::from(report.start == Start::Cold)),
            text("nebula.frontend", report.frontend),
            text("nebula.outcome", outcome.as_str()),
            number("nebula.cpu_us", u64::try_from(report.cpu.as_micros()).unwrap_or(u64::MAX)),
            number("nebula.peak_memory_bytes", report.peak_memory),
            number("nebula.bytes_in", report.bytes_in),
            number("nebula.bytes_out", report.bytes_out),
        ];
        attributes.extend(report.version.map(|version| text("faas.version", version.to_string())));
        attributes.extend(report.digest.map(|digest| text("nebula.digest", digest.to_string())));
        attributes.extend(report.kind.map(|kind| text("nebula.kind", kind.as_str())));
        if outcome != Outcome::Ok {
            attributes.push(text("error.type", outcome.as_str()));
        }
        attributes
    }

    fn within_invocation(&self, span: Span) -> Span {
        Span { parent: Some(self.recording.invocation), ..span }
    }

    fn span(&self, id: SpanId, name: impl Into<Cow<'static, str>>, (began, ended): (SystemTime, SystemTime)) -> Span {
        Span {
            context: self.recording.context(id),
            parent: None,
            state: self.recording.state().and_then(|state| Some(state.to_str().ok()?.to_owned())),
            name: name.into(),
            kind: SpanKind::Internal,
            began,
            ended,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
            status: SpanStatus::Unset,
            scope: None,
        }
    }

    /// A caller's own mistake is no error of the function.
    fn status_of_invocation(&self) -> SpanStatus {
        match self.report.outcome {
            Some(Outcome::Ok) => SpanStatus::Unset,
            Some(Outcome::Failed(ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::PayloadTooLarge)) => {
                SpanStatus::Unset
            }
            Some(outcome) => SpanStatus::Error(outcome.as_str().to_owned()),
            None => SpanStatus::Unset,
        }
    }
}

fn text(name: &'static str, value: impl Into<Cow<'static, str>>) -> (Cow<'static, str>, AttributeValue) {
    (name.into(), AttributeValue::Text(value.into()))
}

fn number(name: &'static str, value: impl Into<AttributeValue>) -> (Cow<'static, str>, AttributeValue) {
    (name.into(), value.into())
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}
