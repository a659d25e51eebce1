//! Sends the status in its path, such as `/418`, and two header fields of the same name. `/206` is a part of something.

use http::{begin, path};
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wasip2::http::proxy::export!(Status);

struct Status;

impl wasip2::exports::http::incoming_handler::Guest for Status {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = path(&request);
        let status = path.trim_start_matches('/').parse().unwrap_or(200);
        let mut headers = vec![("content-type", "text/plain; charset=utf-8"), ("x-part", "one"), ("x-part", "two")];
        if status == 206 {
            headers.push(("content-range", "bytes 0-3/9"));
        }
        let response = begin(out, status, &headers);
        // An error means that the client has left.
        let _ = response.write(path.as_bytes());
        response.finish(None);
    }
}
