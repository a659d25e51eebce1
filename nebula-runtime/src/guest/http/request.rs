//! Turns an event into the request that a guest gets.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Uri,
    header::{CONTENT_TYPE, HOST},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::call::{Body, ErrorKind, Event, Input, InvokeError};

/// The characters to escape in a path's segment: all but the unreserved ones (RFC 3986, section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How many bytes of a request's body were read, and whether the body broke off.
#[derive(Default)]
pub(super) struct UploadProgress {
    read: AtomicU64,
    failure: Mutex<Option<InvokeError>>,
}

/// The request of an event, and the progress of its body, which may have at most `limit` bytes.
pub(super) fn request(event: Event, limit: u64) -> Result<(http::Request<WasiBody>, Arc<UploadProgress>), InvokeError> {
    let (mount, client) = (event.mount().to_owned(), event.client());
    let (input, arguments) = event.into_parts();
    let request = match input {
        Input::Http(mut request) => {
            forward(client, &mut request);
            mount_below(&mount, client.is_some(), &mut request)?;
            *request
        }
        Input::Payload { body, media_type, fields } => {
            let mut request = bare(body, media_type, &arguments)?;
            request.headers_mut().extend(fields.map(|fields| *fields).unwrap_or_default());
            request
        }
    };
    let upload = Arc::<UploadProgress>::default();
    let (mut parts, body) = request.into_parts();
    parts.uri = absolute(parts.uri, parts.headers.get(HOST));
    let body = RequestBody { body: body.limited(limit), upload: Arc::clone(&upload) };
    Ok((http::Request::from_parts(parts, body.boxed_unsync()), upload))
}

/// The request for an event that is not an HTTP request. The method is GET if the event has only arguments, and POST
/// otherwise.
fn bare(body: Body, media_type: Option<HeaderValue>, arguments: &[String]) -> Result<http::Request<Body>, InvokeError> {
    let asked = body.is_known_empty() && !arguments.is_empty();
    let segments = arguments.iter().map(|argument| utf8_percent_encode(argument, ESCAPED).to_string());
    let path = "/".to_owned() + &segments.collect::<Vec<_>>().join("/");
    let path: PathAndQuery = path.parse().map_err(|error| {
        InvokeError::new(ErrorKind::InvalidInput, "the arguments cannot be the path of a request").with_source(error)
    })?;
    let mut request = http::Request::new(body);
    *request.method_mut() = if asked { Method::GET } else { Method::POST };
    *request.uri_mut() = Uri::from(path);
    if let Some(media_type) = media_type {
        request.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    Ok(request)
}

/// Takes the prefix `mount` off the request's path, and adds it to the field `x-forwarded-prefix`. If a proxy stands
/// `before` this server, the field begins with the prefix that the proxy has taken off.
fn mount_below(mount: &str, before: bool, request: &mut http::Request<Body>) -> Result<(), InvokeError> {
    const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

    if mount.is_empty() {
        return Ok(());
    }
    let whole = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
    let own = match whole.get(mount.len()..).unwrap_or_default() {
        "" => Ok(PathAndQuery::from_static("/")),
        own if own.starts_with('/') => own.parse(),
        query => format!("/{query}").parse(),
    };
    let own = own.map_err(|error| {
        InvokeError::new(ErrorKind::InvalidInput, "the request's path is not valid").with_source(error)
    })?;
    *request.uri_mut() = with_path(request.uri(), own);
    let headers = request.headers_mut();
    let before = headers.get(PREFIX).filter(|_| before).map_or(&b""[..], HeaderValue::as_bytes);
    if let Ok(prefix) = HeaderValue::from_bytes(&[before, mount.as_bytes()].concat()) {
        headers.insert(PREFIX, prefix);
    }
    Ok(())
}

/// The URI with another path.
fn with_path(uri: &Uri, path: PathAndQuery) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path);
    // This cannot fail, because a path replaces a path.
    Uri::from_parts(parts).unwrap_or_default()
}

/// Adds the forwarding fields: the client's address, the host and the scheme of the request.
fn forward(client: Option<IpAddr>, request: &mut http::Request<Body>) {
    const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
    const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
    const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

    let Some(client) = client else { return };
    let is_secure = request.uri().scheme() == Some(&Scheme::HTTPS);
    let headers = request.headers_mut();
    // Room for these three fields and the prefix.
    headers.reserve(4);
    // A proxy before this server may have begun the list.
    let before = headers.get(FOR).and_then(|list| list.to_str().ok());
    let list = before.map_or_else(|| client.to_string(), |before| format!("{before}, {client}"));
    if let Ok(list) = HeaderValue::try_from(list) {
        headers.insert(FOR, list);
    }
    headers.entry(PROTO).or_insert(HeaderValue::from_static(if is_secure { "https" } else { "http" }));
    if let Some(host) = headers.get(HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
}

/// The URI with a scheme and an authority, which `wasi:http` requires.
fn absolute(uri: Uri, host: Option<&HeaderValue>) -> Uri {
    if uri.authority().is_some() && uri.scheme().is_some() {
        return uri;
    }
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = parts.authority.or(host).or_else(|| Some(Authority::from_static("localhost")));
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    // This cannot fail, because the URI has all three parts.
    Uri::from_parts(parts).unwrap_or_default()
}

impl UploadProgress {
    /// How many bytes the guest has read.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Relaxed)
    }

    /// Why the body broke off, if it did.
    pub(super) fn take_failure(&self) -> Option<InvokeError> {
        self.failure().take()
    }

    fn failure(&self) -> MutexGuard<'_, Option<InvokeError>> {
        // Every write replaces the whole value, so a poisoned lock is usable.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request's body that the guest reads.
struct RequestBody {
    body: Body,
    upload: Arc<UploadProgress>,
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        polled.map(|frame| match frame? {
            Ok(frame) => {
                self.upload.read.fetch_add(frame.data_ref().map_or(0, |data| data.len() as u64), Relaxed);
                Some(Ok(frame))
            }
            Err(error) => {
                let too_large = error.kind() == ErrorKind::PayloadTooLarge;
                *self.upload.failure() = Some(error);
                Some(Err(if too_large { Error::HttpRequestBodySize(None) } else { Error::ConnectionTerminated }))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_function_sees_the_rest_of_the_path_and_the_prefix() {
        let cases = [
            ("/api/f", "/api/f", "/"),
            ("/api/f", "/api/f/", "/"),
            ("/api/f", "/api/f?x=1/2", "/?x=1/2"),
            ("/api/f", "/api/f/?x=1", "/?x=1"),
            ("/api/f", "/api/f/a/b?x=/api/g/", "/a/b?x=/api/g/"),
            ("/api/f", "/api/f//", "//"),
            ("/api/f", "/api/f//b", "//b"),
            ("/api/f", "/api/f/%E2%82%AC+%zz%20", "/%E2%82%AC+%zz%20"),
            ("/api/calc%3Aadd%403", "/api/calc%3Aadd%403/1", "/1"),
            ("/api/f", "http://host:1/api/f/1", "http://host:1/1"),
            ("/api/f", "https://host/api/f?x", "https://host/?x"),
            ("", "/shop?x=1", "/shop?x=1"),
        ];
        for (mount, uri, own) in cases {
            let mut request = http::Request::get(uri).body(Body::empty()).unwrap();
            mount_below(mount, false, &mut request).unwrap();
            let prefix = request.headers().get("x-forwarded-prefix").map_or("", |prefix| prefix.to_str().unwrap());
            assert_eq!((request.uri().to_string().as_str(), prefix), (own, mount), "{uri}");
        }
    }
}
