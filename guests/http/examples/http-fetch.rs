//! Fetches `?url=http://…` and passes on the status, the media type and the body. If that fails, the response is a 502
//! with the code of the error. `&connect=`, `&first-byte=` and `&between-bytes=` are timeouts in milliseconds. If the
//! URL has no path, the outgoing request has none.

use http::{answer, begin, number, query};
use wasip2::{
    http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, IncomingRequest, IncomingResponse, OutgoingRequest, RequestOptions, ResponseOutparam,
            Scheme,
        },
    },
    io::streams::StreamError,
};

wasip2::http::proxy::export!(Fetch);

struct Fetch;

impl wasip2::exports::http::incoming_handler::Guest for Fetch {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let options = options(&request);
        let Some(request) = query(&request, "url").and_then(|url| get(&url)) else {
            return answer(out, 400, "?url= is no URL of http or https");
        };
        match fetch(request, options) {
            Ok(response) => pass_on(&response, out),
            Err(code) => answer(out, 502, &code.to_string()),
        }
    }
}

fn get(url: &str) -> Option<OutgoingRequest> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(path).filter(|path| !path.is_empty())).ok()?;
    Some(request)
}

fn options(request: &IncomingRequest) -> RequestOptions {
    let nanoseconds = |name| query(request, name).map(|_| number(request, name, 0) * 1_000_000);
    let options = RequestOptions::new();
    options.set_connect_timeout(nanoseconds("connect")).expect("the host supports the timeout");
    options.set_first_byte_timeout(nanoseconds("first-byte")).expect("the host supports the timeout");
    options.set_between_bytes_timeout(nanoseconds("between-bytes")).expect("the host supports the timeout");
    options
}

fn fetch(request: OutgoingRequest, options: RequestOptions) -> Result<IncomingResponse, ErrorCode> {
    let response = outgoing_handler::handle(request, Some(options))?;
    response.subscribe().block();
    response.get().expect("the response is ready").expect("the response is taken once")
}

fn pass_on(response: &IncomingResponse, out: ResponseOutparam) {
    let media_type = response.headers().get("content-type").pop().unwrap_or_default();
    let media_type = String::from_utf8_lossy(&media_type).into_owned();
    let headers = [("content-type", media_type.as_str())];
    let headers = if media_type.is_empty() { &[][..] } else { &headers };
    let answer = begin(out, response.status(), headers);
    let body = response.consume().expect("a response has one body");
    let stream = body.stream().expect("a body has one stream");
    loop {
        match answer.stream().blocking_splice(&stream, 64 * 1024) {
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            // The response stays unfinished, so that it does not look complete.
            Err(StreamError::LastOperationFailed(error)) => return eprintln!("{}", error.to_debug_string()),
        }
    }
    answer.finish(None);
}
