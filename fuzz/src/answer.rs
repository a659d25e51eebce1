//! Answers to one call, in the form in which they are compared.

use std::collections::BTreeMap;

use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::call::Call;

/// The header fields that tell one invocation from another.
const OF_INVOCATIONS: [&str; 4] = ["content-length", "date", "nebula-invocation-id", "server-timing"];

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    headers: BTreeMap<String, Vec<String>>,
    body: Vec<u8>,
}

/// What a program in a pipe makes of a call.
#[derive(Debug)]
pub(crate) enum Piped {
    /// It writes these bytes.
    Written(Vec<u8>),
    /// It fails with an error of this kind.
    Failed(String),
}

impl Answer {
    pub(crate) async fn of_http(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().into();
        Self { status: parts.status.as_u16(), headers: headers(&parts.headers), body }
    }

    /// The answer in the JSON of a function URL (payload format 2.0).
    pub(crate) fn of_lambda(json: &str) -> Self {
        let answer: Value = serde_json::from_str(json).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let fields = answer["headers"].as_object().into_iter().flatten();
        let cookies = answer["cookies"].as_array().into_iter().flatten();
        let fields = fields.map(|(name, value)| (name.clone(), text(value)));
        let all = fields.chain(cookies.map(|cookie| ("set-cookie".to_owned(), text(cookie))));
        let field = |(name, value): (String, String)| -> (HeaderName, HeaderValue) {
            (name.parse().unwrap(), HeaderValue::try_from(value).unwrap())
        };
        let body = text(&answer["body"]);
        let is_encoded = answer["isBase64Encoded"].as_bool().unwrap();
        Self {
            status: answer["statusCode"].as_u64().unwrap().try_into().unwrap(),
            headers: headers(&all.map(field).collect()),
            body: if is_encoded { STANDARD.decode(body).unwrap() } else { body.into_bytes() },
        }
    }

    /// The answer without all by which the invocations of one call differ.
    pub(crate) fn comparable(&self, call: &Call) -> Self {
        let mut answer = self.clone();
        if call.method == Method::HEAD {
            answer.body.clear();
        } else if let Some(mut problem) = self.problem() {
            problem["invocation_id"].take();
            answer.body = problem.to_string().into_bytes();
        }
        answer
    }

    /// Whether a program in a pipe does with the same call as this answer says. It may end a text with a line feed.
    pub(crate) fn is_like(&self, piped: &Piped) -> bool {
        match (self.problem(), piped) {
            (Some(problem), Piped::Failed(kind)) => problem["kind"] == kind.as_str(),
            (None, Piped::Written(bytes)) => {
                *bytes == self.body || bytes.strip_suffix(b"\n").is_some_and(|text| text == self.body)
            }
            _ => false,
        }
    }

    fn problem(&self) -> Option<Value> {
        let media_type = self.headers.get("content-type")?;
        media_type
            .iter()
            .any(|it| it == "application/problem+json")
            .then(|| serde_json::from_slice(&self.body).unwrap())
    }
}

fn headers(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in headers.iter().filter(|(name, _)| !OF_INVOCATIONS.contains(&name.as_str())) {
        // A gateway joins the values of a field.
        let values = String::from_utf8_lossy(value.as_bytes())
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect::<Vec<_>>();
        all.entry(name.to_string()).or_default().extend(values);
    }
    all
}
