//! Serves gRPC: `SayHello` of the service in `hello.proto`. Its messages have one field each, and are read and written
//! by hand.

use http::{begin, path};
use wasip2::{
    http::types::{Fields, IncomingRequest, ResponseOutparam},
    io::streams::StreamError,
};

wasip2::http::proxy::export!(Grpc);

struct Grpc;

/// A status of gRPC other than OK.
struct Failure {
    code: u8,
    message: &'static str,
}

const INVALID_ARGUMENT: u8 = 3;
const UNIMPLEMENTED: u8 = 12;

impl wasip2::exports::http::incoming_handler::Guest for Grpc {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, body) = (path(&request), read(request));
        let reply = match path.rsplit('/').next() {
            Some("SayHello") => say_hello(&body),
            _ => Err(Failure { code: UNIMPLEMENTED, message: "the only method is SayHello" }),
        };
        // The status comes after the messages, in the trailers. HTTP/1.1 sends those that are announced.
        let head = [("content-type", "application/grpc"), ("trailer", "grpc-status, grpc-message")];
        let response = begin(out, 200, &head);
        let (code, message) = match reply {
            Ok(reply) => {
                // An error means that the client has left.
                let _ = response.write(&frame(&reply));
                (0, "")
            }
            Err(Failure { code, message }) => (code, message),
        };
        let trailers = [("grpc-status", code.to_string()), ("grpc-message", message.to_owned())];
        let trailers = trailers.into_iter().filter(|(_, value)| !value.is_empty());
        let trailers: Vec<_> = trailers.map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        response.finish(Some(Fields::from_list(&trailers).expect("the trailers are valid")));
    }
}

/// `HelloRequest` to `HelloReply`.
fn say_hello(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let invalid = Failure { code: INVALID_ARGUMENT, message: "the body is not one HelloRequest" };
    let name = message(body).and_then(text).ok_or(invalid)?;
    Ok(field(&format!("Hello, {name}!")))
}

fn read(request: IncomingRequest) -> Vec<u8> {
    let body = request.consume().expect("a request has one body");
    let stream = body.stream().expect("a body has one stream");
    let mut read = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(part) => read.extend(part),
            Err(StreamError::Closed) => return read,
            Err(StreamError::LastOperationFailed(error)) => panic!("{}", error.to_debug_string()),
        }
    }
}

/// The only message of a body: a byte that says whether it is compressed, four bytes for its length, and the message.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (prefix, message) = body.split_first_chunk::<5>()?;
    let [compressed, length @ ..] = *prefix;
    (compressed == 0 && u32::from_be_bytes(length) as usize == message.len()).then_some(message)
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("the message is short");
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// Field 1 of a message in Protocol Buffers, which is a text. A message without it has the empty text.
fn text(message: &[u8]) -> Option<&str> {
    let Some((tag, rest)) = message.split_first() else { return Some("") };
    let (length, text) = varint(rest)?;
    (*tag == 0x0a && length == text.len()).then(|| str::from_utf8(text).ok())?
}

fn field(text: &str) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![0x0a], text.len());
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).expect("it has seven bits") | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).expect("it has seven bits"));
    bytes.extend(text.as_bytes());
    bytes
}

/// A number, and the bytes after it.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    Some((number.iter().rev().fold(0, |number, byte| number << 7 | usize::from(byte & 0x7f)), rest))
}
