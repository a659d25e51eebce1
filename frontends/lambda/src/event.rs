//! Recognises the source of an event by its members: Lambda does not name the source.

use lambda_http::aws_lambda_events::{
    alb::AlbTargetGroupRequest,
    apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest, ApiGatewayWebsocketProxyRequest},
};
use nebula_runtime::{ErrorKind, InvokeError};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{batch::Records, request::EventRequest};

/// An event's JSON, or why it is not JSON. It always deserializes: an event that is not JSON is then a failure of its
/// invocation only, with a kind of its own.
pub(crate) struct Payload(Result<Box<RawValue>, String>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer).map_err(|error| error.to_string())))
    }
}

impl Payload {
    /// The JSON.
    pub(crate) fn json(self) -> Result<Box<RawValue>, InvokeError> {
        self.0.map_err(|error| InvokeError::new(ErrorKind::InvalidInput, format!("the event is not JSON: {error}")))
    }
}

/// The source of an event, as far as it matters here.
pub(crate) enum Source {
    /// An HTTP request, through this gateway.
    Http(Gateway),
    /// A queue or a stream, whose events are batches.
    Records(Records),
    /// Any other source.
    Other,
}

/// A service of AWS that turns HTTP requests into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// A REST API of API Gateway, or an HTTP API with payload format 1.0.
    Rest,
    /// An HTTP API with payload format 2.0, or a function URL.
    Http,
    /// An Application Load Balancer.
    LoadBalancer,
    /// A WebSocket API of API Gateway.
    WebSocket,
}

/// The members by which an event's source is recognised.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    request_context: Option<RequestContext>,
    http_method: Option<IgnoredAny>,
    method_arn: Option<IgnoredAny>,
    route_arn: Option<IgnoredAny>,
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    http: Option<IgnoredAny>,
    elb: Option<IgnoredAny>,
    connection_id: Option<IgnoredAny>,
}

impl Source {
    /// The source of an event.
    pub(crate) fn of(event: &RawValue) -> Self {
        // Serde would also read an array as a structure.
        let shape = Some(event.get()).filter(|json| json.starts_with('{'));
        let Some(shape) = shape.and_then(|json| serde_json::from_str::<Shape<'_>>(json).ok()) else {
            return Self::Other;
        };
        if let Some(gateway) = shape.gateway() {
            return Self::Http(gateway);
        }
        shape.records.and_then(|records| Records::read(&records)).map_or(Self::Other, Self::Records)
    }
}

impl Shape<'_> {
    fn gateway(&self) -> Option<Gateway> {
        // The event of a custom authorizer describes a request, but its answer is not a response.
        if self.method_arn.is_some() || self.route_arn.is_some() {
            return None;
        }
        match self.request_context.as_ref()? {
            RequestContext { http: Some(_), .. } => Some(Gateway::Http),
            RequestContext { elb: Some(_), .. } => Some(Gateway::LoadBalancer),
            RequestContext { connection_id: Some(_), .. } => Some(Gateway::WebSocket),
            _ => self.http_method.as_ref().map(|_| Gateway::Rest),
        }
    }
}

impl Gateway {
    /// Reads an event of this gateway as a request.
    pub(crate) fn read(self, event: &RawValue) -> Result<EventRequest, InvokeError> {
        let json = event.get();
        let read = match self {
            Self::Rest => serde_json::from_str(json).map(ApiGatewayProxyRequest::into),
            Self::Http => serde_json::from_str(json).map(ApiGatewayV2httpRequest::into),
            Self::LoadBalancer => serde_json::from_str(json).map(AlbTargetGroupRequest::into),
            Self::WebSocket => serde_json::from_str(json).map(ApiGatewayWebsocketProxyRequest::into),
        };
        let invalid = |error| {
            let detail = format!("the event looks like a request of {}, but is not: {error}", self.name());
            InvokeError::new(ErrorKind::InvalidInput, detail)
        };
        read.map_err(invalid)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rest => "a REST API",
            Self::Http => "an HTTP API or a function URL",
            Self::LoadBalancer => "a load balancer",
            Self::WebSocket => "a WebSocket API",
        }
    }

    /// Whether the gateway can stream answers.
    pub(crate) fn streams(self) -> bool {
        match self {
            Self::Rest | Self::Http => true,
            Self::LoadBalancer | Self::WebSocket => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(event: &str) -> String {
        match Source::of(&RawValue::from_string(event.to_owned()).unwrap()) {
            Source::Http(gateway) => format!("{gateway:?}"),
            Source::Records(records) => format!("{} records", records.len()),
            Source::Other => "other".to_owned(),
        }
    }

    #[test]
    fn a_source_is_recognised_by_members_that_only_its_events_have() {
        let cases = [
            (r#"{"httpMethod":"GET","path":"/","requestContext":{"stage":"prod"}}"#, "Rest"),
            (r#"{"version":"2.0","requestContext":{"http":{"method":"GET"}}}"#, "Http"),
            (r#"{"httpMethod":"GET","requestContext":{"elb":{"targetGroupArn":"arn"}}}"#, "LoadBalancer"),
            (r#"{"requestContext":{"connectionId":"c","eventType":"MESSAGE"},"body":"b"}"#, "WebSocket"),
            (r#"{"type":"REQUEST","methodArn":"arn","httpMethod":"GET","requestContext":{}}"#, "other"),
            (r#"{"type":"REQUEST","routeArn":"arn","requestContext":{"http":{"method":"GET"}}}"#, "other"),
            (r#"{"Records":[{"eventSource":"aws:sqs","messageId":"1"}]}"#, "1 records"),
            (r#"{"Records":[{"eventSource":"aws:s3","s3":{}}]}"#, "other"),
            (r#"{"Records":[{"EventSource":"aws:sns","Sns":{}}]}"#, "other"),
            (r#"{"Records":[]}"#, "other"),
            (r#"{"Records":"none"}"#, "other"),
            (r#"{"requestContext":"none","httpMethod":"GET"}"#, "other"),
            (r#"{"httpMethod":"GET"}"#, "other"),
            (r#"[{"http":1},"GET"]"#, "other"),
            ("10", "other"),
            ("null", "other"),
        ];
        for (event, expected) in cases {
            assert_eq!(source(event), expected, "{event}");
        }
    }

    #[test]
    fn an_event_that_is_not_json_deserializes_and_is_an_invalid_input() {
        let payload: Payload = Payload::deserialize(&mut serde_json::Deserializer::from_str("{\"a\":")).unwrap();
        let error = payload.json().unwrap_err();
        let detail = "the event is not JSON: EOF while parsing a value at line 1 column 5";
        assert_eq!((error.kind(), error.detail()), (ErrorKind::InvalidInput, detail));
    }

    #[test]
    fn a_request_with_a_missing_member_is_an_invalid_input() {
        let event = RawValue::from_string(r#"{"requestContext":{"http":{}}}"#.to_owned()).unwrap();
        let error = Gateway::Http.read(&event).err().unwrap();
        let detail =
            "the event looks like a request of an HTTP API or a function URL, but is not: missing field `method`";
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.detail().starts_with(detail), "{error}");
    }
}
