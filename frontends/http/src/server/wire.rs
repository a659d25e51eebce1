//! Checks each request of a connection before the server looks for a route (RFC 9112, sections 3 and 6; RFC 9113,
//! section 8).

use std::net::Ipv6Addr;

use axum::response::{IntoResponse as _, Response};
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{CONNECTION, COOKIE, HOST, TRANSFER_ENCODING, UPGRADE},
    uri::{Authority, Scheme},
};
use nebula_runtime::Event;

use crate::problem::Problem;

/// Checks a request. Returns the answer to a request that cannot be served. With HTTP/1, that answer also closes the
/// connection.
///
/// If the target of a request is a whole URL, its host replaces the one in the `Host` header (section 3.2.2). With HTTP/2
/// it always is one (RFC 9113, section 8.3.1). Any other request `is_secure` if its connection is.
pub(super) fn refuse<B>(request: &mut Request<B>, is_secure: bool) -> Option<Response> {
    if let Err((status, detail)) = check(request) {
        return Some(refusal(status, detail, request.version()));
    }
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    } else if is_secure {
        secure(request);
    }
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    }
    None
}

fn refusal(status: StatusCode, detail: &str, version: Version) -> Response {
    let problem = Problem::of_status(status, detail);
    let is_of_method = status == StatusCode::METHOD_NOT_ALLOWED;
    let mut response = if is_of_method { problem.allowing(Event::METHODS) } else { problem }.into_response();
    if version < Version::HTTP_2 {
        // The next bytes on the connection may not be a request.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Makes the target of a request whole, so that its scheme is seen. `*` and a request without a host stay as they are.
fn secure<B>(request: &mut Request<B>) {
    let host = request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = request.uri().clone().into_parts();
    (parts.scheme, parts.authority) = (Some(Scheme::HTTPS), host);
    if let Some(whole) = Uri::from_parts(parts).ok().filter(|_| request.uri().path() != "*") {
        *request.uri_mut() = whole;
    }
}

/// With HTTP/2, a client may send the pairs of one cookie field in several (RFC 9113, section 8.2.3). What is behind this
/// server may know only one.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_some() {
        let pairs: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&pairs.join(&b"; "[..])) {
            headers.insert(COOKIE, joined);
        }
    }
}

/// The status and the detail of a request that is refused.
type Checked = Result<(), (StatusCode, &'static str)>;

fn check<B>(request: &Request<B>) -> Checked {
    if *request.method() == Method::CONNECT {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "CONNECT is not allowed here: this server is no proxy"));
    }
    check_target(request.method(), request.uri())?;
    check_host(request)?;
    check_coding(request.headers())?;
    check_upgrade(request.headers())
}

fn bad(detail: &'static str) -> Checked {
    Err((StatusCode::BAD_REQUEST, detail))
}

/// Section 3.2: the target is a path, a URL of HTTP, or `*` for the server itself.
fn check_target(method: &Method, uri: &Uri) -> Checked {
    let is_for_all = uri.path() == "*" && *method == Method::OPTIONS;
    let is_of_http = |scheme: &Scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
    match (uri.scheme(), uri.authority()) {
        _ if !uri.path().starts_with('/') && !is_for_all => bad(WRONG_TARGET),
        (None, None) => Ok(()),
        // RFC 9110, section 4.2.4: a URL with a user is an error, because it hides the host.
        (Some(scheme), Some(authority)) if is_of_http(scheme) && is_authority(authority.as_str()) => Ok(()),
        _ => bad(WRONG_TARGET),
    }
}

const WRONG_TARGET: &str = "the request's target is neither a path nor a URL of http or https";

/// Section 3.2: there is exactly one `Host`, which is optional in HTTP/1.0. RFC 9113, section 8.3.1: `:authority` can
/// stand for it in HTTP/2, and must not differ from it.
fn check_host<B>(request: &Request<B>) -> Checked {
    let mut hosts = request.headers().get_all(HOST).iter();
    let authority = request.uri().authority().filter(|_| request.version() == Version::HTTP_2);
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 || authority.is_some() => Ok(()),
        (None, _) => bad("the request has no Host field"),
        (Some(_), Some(_)) => bad("the request has more than one Host field"),
        (Some(host), None) if authority.is_some_and(|authority| !is_same(authority, host)) => {
            bad("the request's Host field is another host than its :authority")
        }
        (Some(host), None) if host.to_str().is_ok_and(is_authority) => Ok(()),
        (Some(_), None) => bad("the request's Host field is no host, with or without a port"),
    }
}

fn is_same(authority: &Authority, host: &HeaderValue) -> bool {
    host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
}

/// Section 6.1: an unknown coding is a 501. Only `chunked` is known. It has to be the last coding, which hyper checks.
fn check_coding(headers: &HeaderMap) -> Checked {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err((StatusCode::NOT_IMPLEMENTED, "the request's body has a transfer coding other than chunked")),
    }
}

/// RFC 9110, section 7.8: an upgrade may be ignored. A client of WebSocket has no use for any other answer, so it is told
/// why there is none.
fn check_upgrade(headers: &HeaderMap) -> Checked {
    match headers.get(UPGRADE) {
        Some(protocol) if protocol.as_bytes().eq_ignore_ascii_case(b"websocket") => {
            Err((StatusCode::NOT_IMPLEMENTED, "WebSocket is not supported: functions answer requests of HTTP"))
        }
        _ => Ok(()),
    }
}

/// Whether this is a host, with or without a port (RFC 3986, sections 3.2.2 and 3.2.3). `Authority` is not used,
/// because it allocates, and accepts a user.
fn is_authority(text: &str) -> bool {
    let (is_host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let (name, port) = text.split_at_checked(text.find(':').unwrap_or(text.len())).unwrap_or_default();
            (is_name(name), port)
        }
    };
    is_host && is_port(port)
}

/// Whether this is empty, a colon, or a colon and a port.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => {
            port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
        }
        None => text.is_empty(),
    }
}

/// Whether this is a `reg-name` (RFC 3986, section 3.2.2) that is not empty (RFC 9110, section 4.2.1).
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_fine = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|byte| byte.is_some_and(|byte| byte.is_ascii_hexdigit())),
            b'-' | b'.' | b'_' | b'~' => true,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if !is_fine {
            return false;
        }
    }
    !text.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for host in
            ["a", "a.example", "A.EXAMPLE:80", "a:", "127.0.0.1:8080", "[::1]", "[::1]:80", "a_b", "%C3%A9.test"]
        {
            assert!(is_authority(host), "{host}");
        }
        let invalid =
            ["", ":80", "a b", "a/b", "a@b", "a:b", "a:65536", "a:-1", "a:+1", "[", "[::1", "[a]", "[::1]a", "%zz"];
        for host in invalid.into_iter().chain(["é.test", "a#b", "a?b", "a\\b", "http://a", "a:80:80", "::1"]) {
            assert!(!is_authority(host), "{host}");
        }
    }
}
