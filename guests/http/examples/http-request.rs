//! Describes the request that it sees, as JSON.

use http::begin;
use serde_json::{Value, json};
use wasip2::{
    http::types::{IncomingBody, IncomingRequest, Method, ResponseOutparam, Scheme},
    io::streams::StreamError,
};

wasip2::http::proxy::export!(Request);

struct Request;

impl wasip2::exports::http::incoming_handler::Guest for Request {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let headers = request.headers().entries();
        let description = json!({
            "method": method(request.method()),
            "path_with_query": request.path_with_query(),
            "scheme": request.scheme().map(scheme),
            "authority": request.authority(),
            "headers": headers.into_iter().map(|(name, value)| json!([name, text(value)])).collect::<Value>(),
            "body_length": length(&request.consume().expect("a request has one body")),
        });
        let response = begin(out, 200, &[("content-type", "application/json")]);
        let _ = response.write(description.to_string().as_bytes());
        response.finish(None);
    }
}

fn method(method: Method) -> String {
    match method {
        Method::Other(name) => name,
        known => format!("{known:?}").rsplit(':').next().unwrap_or_default().to_uppercase(),
    }
}

fn scheme(scheme: Scheme) -> String {
    match scheme {
        Scheme::Http => "http".to_owned(),
        Scheme::Https => "https".to_owned(),
        Scheme::Other(name) => name,
    }
}

fn length(body: &IncomingBody) -> u64 {
    let stream = body.stream().expect("a body has one stream");
    let mut length = 0;
    loop {
        match stream.blocking_skip(64 * 1024) {
            Ok(skipped) => length += skipped,
            Err(StreamError::Closed) => return length,
            Err(StreamError::LastOperationFailed(error)) => panic!("{}", error.to_debug_string()),
        }
    }
}
