//! The context that Lambda gives to an invocation.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime::Context;
use nebula_http::InvocationContext;
use nebula_runtime::{InvocationId, TraceContext};
use serde::Serialize;
use tokio::time::Instant;

/// The name of this frontend in reports.
pub(crate) const FRONTEND: &str = "lambda";

const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");
const COGNITO_IDENTITY: HeaderName = HeaderName::from_static("lambda-runtime-cognito-identity");
const TENANT_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-tenant-id");

/// The id of the invocation, its deadline minus `margin`, and its trace.
pub(crate) fn invocation_context(context: &Context, margin: Duration) -> InvocationContext {
    let deadline = Instant::now().checked_add(left(context).saturating_sub(margin));
    let trace = context.xray_trace_id.as_deref().and_then(trace).unwrap_or_default();
    InvocationContext { id: InvocationId::given(context.request_id.as_str()), deadline, frontend: FRONTEND, trace }
}

/// The time until the deadline.
fn left(context: &Context) -> Duration {
    /// An earlier time after 1970 cannot be the deadline of an invocation.
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    match Duration::from_millis(context.deadline) {
        // The emulator of cargo-lambda gives a duration instead of a point in time.
        left if left < YEAR => left,
        _ => context.deadline().duration_since(SystemTime::now()).unwrap_or_default(),
    }
}

/// The context of an event that is not an HTTP request, as headers with the names of the Runtime API.
pub(crate) fn fields(context: &Context) -> HeaderMap {
    // Without an ARN, the Lambda runtime puts an English sentence there.
    let arn = Some(&context.invoked_function_arn).filter(|arn| arn.starts_with("arn:")).cloned();
    let fields = [
        (FUNCTION_ARN, arn),
        (TRACE_ID, context.xray_trace_id.clone()),
        (CLIENT_CONTEXT, context.client_context.as_ref().and_then(json)),
        (COGNITO_IDENTITY, context.identity.as_ref().and_then(json)),
        (TENANT_ID, context.tenant_id.clone()),
    ];
    let field = |(name, text): (HeaderName, Option<String>)| Some((name, HeaderValue::try_from(text?).ok()?));
    fields.into_iter().filter_map(field).collect()
}

/// A value as JSON, with sorted keys.
fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok().map(|value| value.to_string())
}

/// X-Ray's trace in the form of W3C Trace Context:
/// `Root=1-AAAAAAAA-BBBBBBBBBBBBBBBBBBBBBBBB;Parent=CCCCCCCCCCCCCCCC;Sampled=1` is
/// `00-AAAAAAAABBBBBBBBBBBBBBBBBBBBBBBB-CCCCCCCCCCCCCCCC-01`.
fn trace(header: &str) -> Option<TraceContext> {
    let part = |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let is_hex = |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (time, unique) = part("Root")?.strip_prefix("1-")?.split_once('-')?;
    let parent = part("Parent").filter(|parent| is_hex(parent, 16))?;
    let root = Some(format!("{time}{unique}")).filter(|root| is_hex(root, 32))?;
    let sampled = u8::from(part("Sampled") == Some("1"));
    let parent = HeaderValue::try_from(format!("00-{root}-{parent}-{sampled:02x}")).ok()?;
    Some(TraceContext::new(parent, None))
}

#[cfg(test)]
mod tests {
    use lambda_runtime::Config;

    use super::*;

    fn context(headers: &[(&'static str, &'static str)]) -> Context {
        let deadline = ("lambda-runtime-deadline-ms", "0");
        let headers = headers.iter().chain([&deadline]);
        let headers: HeaderMap =
            headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        Context::new("id-1", Config::default().into(), &headers).unwrap()
    }

    #[test]
    fn a_trace_of_x_ray_becomes_one_of_w3c() {
        let root = "Root=1-5759e988-bd862e3fe1be46a994272793";
        let cases = [
            (format!("{root};Parent=53995c3f42cd8ad8;Sampled=1"), Some("01")),
            (format!("{root}; Parent=53995c3f42cd8ad8; Sampled=0; Lineage=a:1"), Some("00")),
            (format!("{root};Parent=53995c3f42cd8ad8"), Some("00")),
            (root.to_owned(), None),
            ("Root=1-5759e988;Parent=53995c3f42cd8ad8".to_owned(), None),
            (String::new(), None),
        ];
        for (header, sampled) in cases {
            let expected = sampled.map(|flags| format!("00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-{flags}"));
            let trace = trace(&header);
            let parent =
                trace.as_ref().and_then(TraceContext::parent).map(|parent| parent.to_str().unwrap().to_owned());
            assert_eq!(parent, expected, "{header}");
        }
    }

    #[test]
    fn an_event_that_is_no_request_has_the_context_as_headers() {
        let described = context(&[
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-central-1:123456789012:function:shop"),
            ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793"),
            ("lambda-runtime-client-context", r#"{"custom":{"b":"2","a":"1"}}"#),
            ("lambda-runtime-cognito-identity", r#"{"identityId":"i","identityPoolId":"p"}"#),
            ("lambda-runtime-aws-tenant-id", "tenant"),
        ]);
        let client =
            r#"{"appPackageName":"","appTitle":"","appVersionCode":"","appVersionName":"","installationId":""}"#;
        let client = format!(r#"{{"client":{client},"custom":{{"a":"1","b":"2"}},"environment":{{}}}}"#);
        let expected = [
            (FUNCTION_ARN, "arn:aws:lambda:eu-central-1:123456789012:function:shop"),
            (TRACE_ID, "Root=1-5759e988-bd862e3fe1be46a994272793"),
            (CLIENT_CONTEXT, &client),
            (COGNITO_IDENTITY, r#"{"identityId":"i","identityPoolId":"p"}"#),
            (TENANT_ID, "tenant"),
        ];
        let expected = expected.map(|(name, value)| (name, HeaderValue::from_str(value).unwrap()));
        assert_eq!(fields(&described), HeaderMap::from_iter(expected));
        assert_eq!(fields(&context(&[])), HeaderMap::new());
    }

    #[test]
    fn the_margin_is_subtracted_from_the_time_until_the_deadline() {
        let mut context = context(&[]);
        let left = |context: &Context, margin| {
            invocation_context(context, Duration::from_secs(margin))
                .deadline
                .unwrap()
                .saturating_duration_since(Instant::now())
        };
        assert_eq!(left(&context, 0), Duration::ZERO);
        let in_a_minute = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + Duration::from_secs(60);
        context.deadline = u64::try_from(in_a_minute.as_millis()).unwrap();
        assert!(left(&context, 20) > Duration::from_secs(20) && left(&context, 20) <= Duration::from_secs(40));
        assert_eq!(left(&context, 90), Duration::ZERO);
        context.deadline = 60_000;
        assert!(left(&context, 20) > Duration::from_secs(39) && left(&context, 20) <= Duration::from_secs(40));
    }
}
