//! Requests that name what their client has already (RFC 9110, section 13): a result that is still the same is not sent
//! again.

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH},
};

use crate::{
    call::{Body, Event, Input, ReportHandle, Response},
    guest::results::Answer,
};

/// What a request that only reads says of the results that its client has.
pub(super) struct Validation {
    /// The values of its `If-None-Match` fields.
    known: Vec<HeaderValue>,
}

impl Validation {
    /// `None` for an event that is not such a request: its result gets no tag.
    pub(super) fn of(event: &Event) -> Option<Self> {
        match event.input() {
            Input::Http(request) if matches!(*request.method(), Method::GET | Method::HEAD) => {
                Some(Self { known: request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect() })
            }
            Input::Http(_) | Input::Payload { .. } => None,
        }
    }

    /// Whether the client has the result with this tag. Tags are compared weakly (section 13.1.2), as a proxy may have
    /// compressed the result and made its tag a weak one. A tag of ours has no comma in it.
    fn is_known(&self, tag: &HeaderValue) -> bool {
        let items = self.known.iter().flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
        items.map(<[u8]>::trim_ascii).any(|item| {
            let opaque = item.strip_prefix(b"W/").unwrap_or(item);
            opaque == tag.as_bytes() || item == b"*"
        })
    }
}

/// The response with a result: without its bytes if the client has them.
pub(super) fn response(answer: Answer, validation: Option<Validation>, report: ReportHandle) -> Response {
    let Answer { body, tag } = answer;
    let (Some(validation), Some(tag)) = (validation, tag) else {
        return with_body(body.into(), HeaderMap::new(), report);
    };
    let is_known = validation.is_known(&tag);
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(ETAG, tag);
    // Another version may give another result: a client that keeps this one asks again before it uses it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    match is_known {
        true => Response::of_parts(StatusCode::NOT_MODIFIED, headers, Body::empty(), report),
        false => with_body(body.into(), headers, report),
    }
}

fn with_body(body: Body, headers: HeaderMap, report: ReportHandle) -> Response {
    report.update(|report| report.bytes_out = body.as_whole().map_or(0, |bytes| bytes.len() as u64));
    let mut response = Response::new(HeaderValue::from_static("application/json"), body, report);
    response.headers = headers;
    response
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn seen(method: Method, known: &[&str]) -> (u16, Option<String>, usize) {
        let answer = Answer::new(Bytes::from_static(b"42"));
        let tag = answer.tag.as_ref().unwrap().to_str().unwrap().to_owned();
        let mut request = http::Request::builder().method(method);
        for value in known {
            request = request.header(IF_NONE_MATCH, value.replace("TAG", &tag));
        }
        let event = Event::http(request.body(Body::empty()).unwrap());
        let invocation = crate::call::Invocation::new("f".parse::<crate::function::FunctionName>().unwrap(), event);
        let sent = response(answer, Validation::of(&invocation.event), invocation.report.clone());
        let field = |name| sent.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(field(ETAG).map(|sent| sent == tag), field(CACHE_CONTROL).map(|control| control == "no-cache"));
        (sent.status.as_u16(), field(CACHE_CONTROL), sent.body.as_whole().unwrap().len())
    }

    #[test]
    fn a_result_that_the_client_has_is_not_sent_again() {
        let tagged = |status, size| (status, Some("no-cache".to_owned()), size);
        let cases: [(Method, &[&str], _); 9] = [
            (Method::GET, &[], tagged(200, 2)),
            (Method::GET, &["TAG"], tagged(304, 0)),
            (Method::HEAD, &["TAG"], tagged(304, 0)),
            (Method::GET, &["\"a,b\" , W/TAG"], tagged(304, 0)),
            (Method::GET, &["\"a\"", "TAG"], tagged(304, 0)),
            (Method::GET, &["*"], tagged(304, 0)),
            (Method::GET, &["\"a\", \"*\", w/TAG"], tagged(200, 2)),
            (Method::GET, &[""], tagged(200, 2)),
            (Method::POST, &["TAG"], (200, None, 2)),
        ];
        for (method, known, expected) in cases {
            assert_eq!(seen(method.clone(), known), expected, "{method} {known:?}");
        }
    }
}
