//! Keeps files: `PUT /NAME` stores the body, `GET /NAME` sends it, with `Range: bytes=2-5` a part of it, `DELETE /NAME`
//! removes it, and `POST /NAME` stores the body and sends it back. Bodies are never in memory as a whole.

wit_bindgen::generate!({
    path: "wit",
    world: "upload",
    generate_all,
    with: {
        "wasi:io/error@0.2.0": wasip2::io::error,
        "wasi:io/poll@0.2.0": wasip2::io::poll,
        "wasi:io/streams@0.2.0": wasip2::io::streams,
    },
});

use http::{answer, begin, path};
use wasi::blobstore::{
    blobstore::{Container, get_container},
    types::{IncomingValue, OutgoingValue},
};
use wasip2::{
    http::types::{IncomingBody, IncomingRequest, Method, ResponseOutparam},
    io::streams::{InputStream, OutputStream, StreamError},
};

wasip2::http::proxy::export!(Upload);

struct Upload;

/// The most bytes that are moved at once.
const PIECE: u64 = 64 * 1024;

impl wasip2::exports::http::incoming_handler::Guest for Upload {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = path(&request);
        let name = path.rsplit('/').next().unwrap_or_default();
        let container = match get_container("files") {
            Ok(container) => container,
            Err(error) => return answer(out, 500, &error),
        };
        match request.method() {
            Method::Get => send(out, &container, name, range(&request)),
            Method::Put => match store(request, &container, name) {
                Ok(()) => answer(out, 201, "stored"),
                Err(error) => answer(out, 507, &error),
            },
            Method::Post => match store(request, &container, name) {
                Ok(()) => send(out, &container, name, None),
                Err(error) => answer(out, 507, &error),
            },
            Method::Delete => match container.delete_object(name) {
                Ok(()) => answer(out, 200, "deleted"),
                Err(error) => answer(out, 500, &error),
            },
            _ => answer(out, 405, "only GET, PUT, POST and DELETE"),
        }
    }
}

/// Stores the request's body.
fn store(request: IncomingRequest, container: &Container, name: &str) -> Result<(), String> {
    let body: IncomingBody = request.consume().map_err(|()| "the request has no body")?;
    let incoming = body.stream().map_err(|()| "the body has no stream")?;
    let value = OutgoingValue::new_outgoing_value();
    container.write_data(name, &value)?;
    let stream = value.outgoing_value_write_body().map_err(|()| "the value has no stream")?;
    let moved = splice(&stream, &incoming);
    drop(stream);
    // A body that broke off is not stored: the value is dropped without `finish`.
    if moved == Moved::BrokeOff {
        return Err("the body broke off".to_owned());
    }
    OutgoingValue::finish(value)
}

/// Sends a file, or a part of it.
fn send(out: ResponseOutparam, container: &Container, name: &str, range: Option<(u64, u64)>) {
    let (status, (first, last)) = range.map_or((200, (0, u64::MAX)), |range| (206, range));
    let value = match container.get_data(name, first, last) {
        Ok(value) => value,
        Err(error) => {
            let is_missing = container.has_object(name) == Ok(false);
            return answer(out, if is_missing { 404 } else { 503 }, &error);
        }
    };
    let length = value.size().to_string();
    let stream = match IncomingValue::incoming_value_consume_async(value) {
        Ok(stream) => stream,
        Err(error) => return answer(out, 500, &error),
    };
    let headers = [("content-type", "application/octet-stream"), ("content-length", &length)];
    let response = begin(out, status, &headers);
    // A response that is dropped before its end does not look complete.
    if splice(response.stream(), &stream) == Moved::All {
        response.finish(None);
    }
}

#[derive(PartialEq)]
enum Moved {
    All,
    BrokeOff,
    /// Who takes the bytes takes no more, and says why at its end.
    Refused,
}

fn splice(to: &OutputStream, from: &InputStream) -> Moved {
    loop {
        match to.blocking_splice(from, PIECE) {
            Ok(_) => {}
            Err(StreamError::Closed) => return Moved::All,
            Err(StreamError::LastOperationFailed(_)) => match to.check_write() {
                Ok(_) => return Moved::BrokeOff,
                Err(_) => return Moved::Refused,
            },
        }
    }
}

/// The ends of `Range: bytes=FIRST-LAST`.
fn range(request: &IncomingRequest) -> Option<(u64, u64)> {
    let value = String::from_utf8(request.headers().get("range").pop()?).ok()?;
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().unwrap_or(u64::MAX)))
}
