//! Answers to an Application Load Balancer.

use std::collections::BTreeMap;

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, header::SET_COOKIE};
use lambda_http::Body;
use serde::Serialize;

use crate::json::{text, text_or_octets};

/// An answer for a load balancer (Elastic Load Balancing, "Respond to the load balancer"). The Lambda runtime's own
/// type can have only one value for a name in `headers`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalanced {
    status_code: u16,
    status_description: String,
    // The target group's configuration decides which of the two is read.
    headers: BTreeMap<String, String>,
    multi_value_headers: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Body>,
    is_base64_encoded: bool,
}

/// How many spellings of `set-cookie` there are that differ only in the case of the letters.
const SPELLINGS: usize = 1 << 9;

impl From<Response<Bytes>> for LoadBalanced {
    /// Converts an answer whose headers are [fit for JSON](crate::json::fit_for_json).
    fn from(answer: Response<Bytes>) -> Self {
        let (parts, body) = answer.into_parts();
        let (body, is_base64_encoded) = text_or_octets(body);
        let all = |name: &HeaderName| parts.headers.get_all(name).iter().map(text).collect();
        Self {
            status_code: parts.status.as_u16(),
            status_description: parts.status.to_string(),
            headers: single(&parts.headers),
            multi_value_headers: parts.headers.keys().map(|name| (name.to_string(), all(name))).collect(),
            body,
            is_base64_encoded,
        }
    }
}

/// One value for each name. Each cookie gets a spelling of its own, and all spellings are one name to a client.
fn single(headers: &HeaderMap) -> BTreeMap<String, String> {
    let lone = headers.iter().filter(|(name, _)| **name != SET_COOKIE);
    let mut single: BTreeMap<_, _> = lone.map(|(name, value)| (name.to_string(), text(value))).collect();
    let cookies = headers.get_all(SET_COOKIE);
    if cookies.iter().count() > SPELLINGS {
        tracing::warn!(
            "the answer sets more than {SPELLINGS} cookies; a load balancer passes the rest on only where its target group \
             has multi-value headers"
        );
    }
    single.extend(cookies.iter().take(SPELLINGS).enumerate().map(|(index, cookie)| (spelled(index), text(cookie))));
    single
}

/// The spelling of `set-cookie` with this number: each bit is the case of a letter.
fn spelled(number: usize) -> String {
    let mut bits = (0..).map(|bit| number >> bit & 1 == 1);
    let mut spell = |letter: char| {
        let is_upper = letter.is_ascii_alphabetic() && bits.next().unwrap_or_default();
        if is_upper { letter.to_ascii_uppercase() } else { letter }
    };
    SET_COOKIE.as_str().chars().map(&mut spell).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn each_cookie_has_a_spelling_of_its_own() {
        let first: Vec<_> = (0..4).map(spelled).collect();
        assert_eq!(first, ["set-cookie", "Set-cookie", "sEt-cookie", "SEt-cookie"]);
        let all: BTreeSet<_> = (0..SPELLINGS).map(spelled).collect();
        assert_eq!((all.len(), all.first().map(String::as_str)), (SPELLINGS, Some("SET-COOKIE")));
        assert!(all.iter().all(|name| name.eq_ignore_ascii_case("set-cookie")));
    }

    #[test]
    fn more_cookies_than_spellings_are_all_in_the_multi_value_headers() {
        let cookie = |index| (SET_COOKIE, HeaderValue::from_str(&format!("c{index}=1")).unwrap());
        let mut answer = Response::new(Bytes::new());
        answer.headers_mut().extend((0..=SPELLINGS).map(cookie));
        let answer = LoadBalanced::from(answer);
        assert_eq!((answer.headers.len(), answer.multi_value_headers["set-cookie"].len()), (SPELLINGS, SPELLINGS + 1));
    }
}
