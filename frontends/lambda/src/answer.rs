//! Answers on their way back to Lambda.

use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_LENGTH, SET_COOKIE},
};
use http_body_util::BodyExt as _;
use lambda_http::{
    Body,
    aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse},
};
use nebula_http::refusal;
use nebula_runtime::{ErrorKind, InvocationId, InvokeError};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{event::Gateway, load_balancer::LoadBalanced};

/// The largest answer that Lambda takes whole, in bytes of its JSON: 6 MB and a little
/// (AWS Lambda Developer Guide, "Lambda quotas").
pub(crate) const MAX_BUFFERED: usize = 6_291_556;

/// The answer to a request that came by `gateway`, in the JSON that its source wants.
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

/// A failure that is known only when nothing of the answer was sent yet.
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
    // All of them, for the API would send those of `headers` once more.
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

/// A value as JSON. Of what is written here, nothing can fail.
pub(crate) fn to_json(value: &impl Serialize) -> Result<Box<RawValue>, InvokeError> {
    to_raw_value(value)
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to write the answer as JSON").with_source(error))
}

/// A body, and whether it is written in base64. What is text stays readable: an API whose binary media types are not
/// configured would hand on the base64 of anything else.
pub(crate) fn text_or_octets(body: Bytes) -> (Option<Body>, bool) {
    match String::from_utf8(body.into()) {
        Ok(text) if text.is_empty() => (None, false),
        Ok(text) => (Some(Body::Text(text)), false),
        Err(octets) => (Some(Body::Binary(octets.into_bytes())), true),
    }
}

/// Header fields, and apart from them the cookies that are set.
pub(crate) fn without_cookies(mut headers: HeaderMap) -> (HeaderMap, Vec<String>) {
    let cookies = headers.get_all(SET_COOKIE).iter().map(text).collect();
    headers.remove(SET_COOKIE);
    (headers, cookies)
}

/// All bytes of an answer's body.
pub(crate) async fn collect(mut body: axum::body::Body) -> Result<Bytes, InvokeError> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(failure)?.into_data() {
            collected.extend_from_slice(&data);
        }
        if collected.len() > MAX_BUFFERED {
            return Err(too_large());
        }
    }
    Ok(collected.freeze())
}

/// Why a body broke off. Each body around another wraps its failure once more.
pub(crate) fn failure(error: axum::Error) -> InvokeError {
    match error.into_inner().downcast::<axum::Error>() {
        Ok(inner) => failure(*inner),
        Err(error) => error.downcast().map_or_else(
            |error| InvokeError::new(ErrorKind::Internal, "the answer broke off").with_source(error),
            |failure| *failure,
        ),
    }
}

/// The failure of an answer that Lambda would not take.
pub(crate) fn too_large() -> InvokeError {
    let detail = format!(
        "the answer is larger than the {MAX_BUFFERED} bytes that Lambda takes whole; a function URL can stream it \
         (NEBULA_INVOKE_MODE=RESPONSE_STREAM)"
    );
    InvokeError::new(ErrorKind::LimitExceeded, detail)
}

/// Header fields as JSON can hold them: each name once (RFC 9110, section 5.3), but for cookies, which have a place of their
/// own, and in UTF-8. The length is the sender's to say.
pub(crate) fn fit_for_json(headers: HeaderMap) -> HeaderMap {
    let mut fit = HeaderMap::with_capacity(headers.len());
    for name in headers.keys().filter(|name| **name != CONTENT_LENGTH) {
        let values: Vec<_> = headers.get_all(name).iter().map(text).collect();
        if *name == SET_COOKIE {
            values.iter().for_each(|value| append(&mut fit, name, value));
        } else {
            append(&mut fit, name, &values.join(", "));
        }
    }
    fit
}

/// A field's value as text. What is no UTF-8 was ISO-8859-1 once (RFC 9110, section 5.5), in which every octet is a character.
pub(crate) fn text(value: &HeaderValue) -> String {
    let octets = value.as_bytes();
    str::from_utf8(octets).map_or_else(|_| octets.iter().copied().map(char::from).collect(), str::to_owned)
}

fn append(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    // It was a field's value before, and no control character was added.
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(bytes: &'static [u8]) -> (Option<Body>, bool) {
        text_or_octets(Bytes::from_static(bytes))
    }

    #[test]
    fn a_body_is_text_where_it_can_be() {
        assert_eq!(body(b""), (None, false));
        assert_eq!(body("ü".as_bytes()), (Some(Body::Text("ü".to_owned())), false));
        assert_eq!(body(b"\xff\0"), (Some(Body::Binary(vec![0xff, 0])), true));
    }

    #[tokio::test]
    async fn each_gateway_has_its_own_shape_for_headers_and_cookies() {
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
    async fn a_failure_at_the_end_is_still_an_answer_of_its_own() {
        let failure = InvokeError::new(ErrorKind::GuestFault, "it trapped");
        let body = futures_util::stream::iter([Ok(Bytes::from_static(b"half")), Err(failure)]);
        let answer = Response::new(axum::body::Body::from_stream(body));
        let json = whole(Gateway::Http, &Method::GET, answer, &InvocationId::given("id-1")).await.unwrap();
        let answer = serde_json::from_str::<Value>(json.get()).unwrap();
        let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!((&answer["statusCode"], &problem["kind"]), (&json!(502), &json!("guest_fault")));
    }

    #[tokio::test]
    async fn nothing_but_its_head_answers_a_request_for_that() {
        let answer = Response::new("text".into());
        let json = whole(Gateway::Http, &Method::HEAD, answer, &InvocationId::given("id-1")).await.unwrap();
        assert!(!json.get().contains("text"), "{json}");
    }

    #[test]
    fn repeated_fields_are_one_but_for_cookies() {
        let fields: [(&'static str, &[u8]); 6] = [
            ("vary", b"a"),
            ("set-cookie", b"a=1"),
            ("vary", b"b"),
            ("set-cookie", b"b=2"),
            ("content-length", b"3"),
            ("x-latin", b"\xfc \x80"),
        ];
        let fields =
            fields.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()));
        let fit = fit_for_json(HeaderMap::from_iter(fields));
        let mut fit: Vec<_> = fit.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        fit.sort();
        let expected = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("vary", "a, b"), ("x-latin", "ü \u{80}")];
        assert_eq!(fit, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_failure_it_broke_off_with() {
        let failure = InvokeError::new(ErrorKind::GuestFault, "it trapped");
        let broken = futures_util::stream::iter([Ok(Bytes::from_static(b"half")), Err(failure)]);
        let error = collect(axum::body::Body::from_stream(broken)).await.unwrap_err();
        assert_eq!((error.kind(), error.detail()), (ErrorKind::GuestFault, "it trapped"));
    }

    #[tokio::test]
    async fn more_than_lambda_takes_is_over_a_limit() {
        let error = collect(vec![b'x'; MAX_BUFFERED + 1].into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(collect(vec![b'x'; MAX_BUFFERED].into()).await.unwrap().len(), MAX_BUFFERED);
    }
}
