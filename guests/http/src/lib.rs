//! Shared code of the `wasi:http` 0.2 handlers in `examples/`. The handlers of 0.3 do not use it.

use wasip2::{
    http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam, StatusCode},
    io::streams::{OutputStream, StreamError},
};

/// A response whose head is sent and whose body is still to be written.
pub struct BegunResponse {
    body: OutgoingBody,
    stream: OutputStream,
}

/// Sends the head of a response.
pub fn begin<V: AsRef<[u8]>>(out: ResponseOutparam, status: StatusCode, headers: &[(&str, V)]) -> BegunResponse {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_ref().to_vec())).collect();
    let response = OutgoingResponse::new(Fields::from_list(&headers).expect("the headers are valid"));
    response.set_status_code(status).expect("the status is valid");
    let body = response.body().expect("a response has one body");
    let stream = body.write().expect("a body has one stream");
    ResponseOutparam::set(out, Ok(response));
    BegunResponse { body, stream }
}

/// Sends a whole response with a text.
pub fn answer(out: ResponseOutparam, status: StatusCode, text: &str) {
    let response = begin(out, status, &[("content-type", "text/plain; charset=utf-8")]);
    // An error means that the client has left.
    let _ = response.write(text.as_bytes());
    response.finish(None);
}

impl BegunResponse {
    /// Writes a part of the body, and waits until the host has taken it.
    pub fn write(&self, bytes: &[u8]) -> Result<(), StreamError> {
        /// The most bytes that the host takes in one call.
        const PIECE: usize = 4096;
        bytes.chunks(PIECE).try_for_each(|piece| self.stream.blocking_write_and_flush(piece))
    }

    /// The stream of the body.
    pub fn stream(&self) -> &OutputStream {
        &self.stream
    }

    /// Ends the body. If it is dropped without this, its reader gets an error.
    pub fn finish(self, trailers: Option<Fields>) {
        drop(self.stream);
        // An error means that the client has left.
        let _ = OutgoingBody::finish(self.body, trailers);
    }
}

/// The path of a request, without the query.
pub fn path(request: &IncomingRequest) -> String {
    let whole = request.path_with_query().unwrap_or_default();
    whole.split('?').next().unwrap_or_default().to_owned()
}

/// The decoded value of `name` in the query. In `?x=y&a=b`, the value of `a` is `b`.
pub fn query(request: &IncomingRequest, name: &str) -> Option<String> {
    let whole = request.path_with_query()?;
    let (_, query) = whole.split_once('?')?;
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

/// The value of `name` in the query as a number, or `default`.
pub fn number(request: &IncomingRequest, name: &str, default: u64) -> u64 {
    query(request, name).and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
