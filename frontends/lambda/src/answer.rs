//! Answers to HTTP requests, in the JSON that Lambda expects.

use axum::response::Response;
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse};
use nebula_http::refusal;
use nebula_runtime::{ErrorKind, InvocationId, InvokeError};
use serde_json::value::RawValue;

use crate::{
    event::Gateway,
    json::{fit_for_json, text_or_octets, to_json, without_cookies},
    load_balancer::LoadBalanced,
};

/// The largest answer that Lambda accepts whole, in bytes of its JSON: a little over 6 MB
/// (AWS Lambda Developer Guide, "Lambda quotas").
pub(crate) const MAX_BUFFERED: usize = 6_291_556;

/// The answer to a request that came through `gateway`, in the JSON that this gateway expects.
pub(crate) async fn whole(
    gateway: Gateway,
    method: &Method,
    answer: Response,
    id: &InvocationId,
) -> Result<Box<RawValue>, InvokeError> {
    let (parts, body) = answer.into_parts();
    let json = match collect(body).await {
        Ok(_) if *method == Method::HEAD => in_json(gateway, Response::from_parts(parts, Bytes::new()))?,
        Ok(body) => in_json(gateway, Response::from_parts(parts, body))?,
        Err(error) => return refused(gateway, &error, id).await,
    };
    if json.get().len() > MAX_BUFFERED { refused(gateway, &too_large(), id).await } else { Ok(json) }
}

/// The answer for a failure that is known before anything was sent.
async fn refused(gateway: Gateway, error: &InvokeError, id: &InvocationId) -> Result<Box<RawValue>, InvokeError> {
    let (parts, body) = refusal(error, id).into_parts();
    in_json(gateway, Response::from_parts(parts, collect(body).await?))
}

fn in_json(gateway: Gateway, mut answer: Response<Bytes>) -> Result<Box<RawValue>, InvokeError> {
    *answer.headers_mut() = fit_for_json(std::mem::take(answer.headers_mut()));
    match gateway {
        Gateway::Rest | Gateway::WebSocket => to_json(&of_rest(answer)),
        Gateway::Http => to_json(&of_http(answer)),
        Gateway::LoadBalancer => to_json(&LoadBalanced::from(answer)),
    }
}

fn of_rest(answer: Response<Bytes>) -> ApiGatewayProxyResponse {
    let (parts, body) = answer.into_parts();
    let mut answer = ApiGatewayProxyResponse::default();
    answer.status_code = parts.status.as_u16().into();
    // All headers, because the API would send those of `headers` a second time.
    answer.multi_value_headers = parts.headers;
    (answer.body, answer.is_base64_encoded) = text_or_octets(body);
    answer
}

fn of_http(answer: Response<Bytes>) -> ApiGatewayV2httpResponse {
    let (parts, body) = answer.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = parts.status.as_u16().into();
    (answer.headers, answer.cookies) = without_cookies(parts.headers);
    (answer.body, answer.is_base64_encoded) = text_or_octets(body);
    answer
}

/// All bytes of an answer's body.
async fn collect(body: axum::body::Body) -> Result<Bytes, InvokeError> {
    nebula_runtime::Body::stream(body.map_err(failure)).collect_or(MAX_BUFFERED as u64, too_large).await
}

/// Why a body broke off. Each body that wraps another wraps its error too.
pub(crate) fn failure(error: axum::Error) -> InvokeError {
    match error.into_inner().downcast::<axum::Error>() {
        Ok(inner) => failure(*inner),
        Err(error) => error.downcast().map_or_else(
            |error| InvokeError::new(ErrorKind::Internal, "the answer broke off").with_source(error),
            |failure| *failure,
        ),
    }
}

/// The failure of an answer that is too large for Lambda.
pub(crate) fn too_large() -> InvokeError {
    let detail = format!(
        "the answer is larger than the {MAX_BUFFERED} bytes that Lambda accepts whole; a function URL can stream it \
         (NEBULA_INVOKE_MODE=RESPONSE_STREAM)"
    );
    InvokeError::new(ErrorKind::LimitExceeded, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn each_gateway_has_its_own_form_of_headers_and_cookies() {
        let shape = async |gateway| {
            let answer = Response::builder().status(201).header("x-tag", "1").header("x-tag", "2");
            let answer = answer.header("set-cookie", "a=1").header("set-cookie", "b=2").body("text".into()).unwrap();
            let json = whole(gateway, &Method::GET, answer, &InvocationId::given("id-1")).await.unwrap();
            serde_json::from_str::<Value>(json.get()).unwrap()
        };
        let several = json!({ "x-tag": ["1, 2"], "set-cookie": ["a=1", "b=2"] });
        let body = json!({ "statusCode": 201, "body": "text", "isBase64Encoded": false, "multiValueHeaders": several });
        let with = |more: Value| {
            let mut all = body.clone();
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        let single = json!({ "headers": { "x-tag": "1, 2" }, "multiValueHeaders": {}, "cookies": ["a=1", "b=2"] });
        let spelled = json!({ "x-tag": "1, 2", "set-cookie": "a=1", "Set-cookie": "b=2" });
        let both = json!({ "headers": spelled, "statusDescription": "201 Created" });
        assert_eq!(shape(Gateway::Rest).await, with(json!({ "headers": {} })));
        assert_eq!(shape(Gateway::WebSocket).await, with(json!({ "headers": {} })));
        assert_eq!(shape(Gateway::Http).await, with(single));
        assert_eq!(shape(Gateway::LoadBalancer).await, with(both));
    }

    #[tokio::test]
    async fn a_failure_at_the_end_replaces_the_whole_answer() {
        let failure = InvokeError::new(ErrorKind::GuestFault, "it trapped");
        let body = futures_util::stream::iter([Ok(Bytes::from_static(b"half")), Err(failure)]);
        let answer = Response::new(axum::body::Body::from_stream(body));
        let json = whole(Gateway::Http, &Method::GET, answer, &InvocationId::given("id-1")).await.unwrap();
        let answer = serde_json::from_str::<Value>(json.get()).unwrap();
        let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!((&answer["statusCode"], &problem["kind"]), (&json!(502), &json!("guest_fault")));
    }

    #[tokio::test]
    async fn the_answer_to_a_head_request_has_no_body() {
        let answer = Response::new("text".into());
        let json = whole(Gateway::Http, &Method::HEAD, answer, &InvocationId::given("id-1")).await.unwrap();
        assert!(!json.get().contains("text"), "{json}");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_failure_that_ended_it() {
        let failure = InvokeError::new(ErrorKind::GuestFault, "it trapped");
        let broken = futures_util::stream::iter([Ok(Bytes::from_static(b"half")), Err(failure)]);
        let error = collect(axum::body::Body::from_stream(broken)).await.unwrap_err();
        assert_eq!((error.kind(), error.detail()), (ErrorKind::GuestFault, "it trapped"));
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_for_lambda_exceeds_a_limit() {
        let error = collect(vec![b'x'; MAX_BUFFERED + 1].into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(collect(vec![b'x'; MAX_BUFFERED].into()).await.unwrap().len(), MAX_BUFFERED);
    }
}
