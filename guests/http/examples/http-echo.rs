//! Sends the request's body back piece by piece, with its media type and its trailers.

use http::begin;
use wasip2::{
    http::types::{Fields, FutureTrailers, IncomingBody, IncomingRequest, ResponseOutparam},
    io::streams::StreamError,
};

wasip2::http::proxy::export!(Echo);

struct Echo;

impl wasip2::exports::http::incoming_handler::Guest for Echo {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let headers = request.headers();
        let value = |name| Some((name, String::from_utf8(headers.get(name).pop()?).ok()?));
        // Only a client that announced trailers gets them back.
        let kept: Vec<_> = ["content-type", "trailer"].into_iter().filter_map(value).collect();
        let kept: Vec<_> = kept.iter().map(|(name, value)| (*name, value.as_str())).collect();
        drop(headers);
        let body = request.consume().expect("a request has one body");
        let incoming = body.stream().expect("a body has one stream");
        let response = begin(out, 200, &kept);
        loop {
            match response.stream().blocking_splice(&incoming, 64 * 1024) {
                Ok(_) => {}
                Err(StreamError::Closed) => break,
                // The response stays unfinished, so that it does not look complete.
                Err(StreamError::LastOperationFailed(error)) => return eprintln!("{}", error.to_debug_string()),
            }
        }
        drop(incoming);
        response.finish(trailers(&IncomingBody::finish(body)));
    }
}

fn trailers(trailers: &FutureTrailers) -> Option<Fields> {
    trailers.subscribe().block();
    trailers.get()?.ok()?.ok()?
}
