//! Sends header fields that are hard to pass on: two cookies, and values that are not ASCII.

use http::begin;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wasip2::http::proxy::export!(Fields);

struct Fields;

impl wasip2::exports::http::incoming_handler::Guest for Fields {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let headers: [(&str, &[u8]); 5] = [
            ("content-type", b"text/plain; charset=utf-8"),
            ("set-cookie", b"a=1; Path=/; HttpOnly"),
            ("set-cookie", b"b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"),
            ("x-latin", b"caf\xe9"),
            ("x-unicode", "café €".as_bytes()),
        ];
        begin(out, 200, &headers).finish(None);
    }
}
