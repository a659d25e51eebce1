//! Does what a handler should not do. The path says what: `/before` and `/after` trap before and after the response has
//! begun, `/none` gives no response, `/unfinished` does not end its response, `/error` gives an error code, `/spin`
//! never ends.

use http::{answer, begin, path};
use wasip2::http::types::{ErrorCode, IncomingRequest, ResponseOutparam};

wasip2::http::proxy::export!(Trap);

struct Trap;

impl wasip2::exports::http::incoming_handler::Guest for Trap {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match path(&request).as_str() {
            "/before" => panic!("before the response"),
            "/after" => {
                let response = begin(out, 200, &[("content-type", "text/plain")]);
                let _ = response.write(b"the beginning");
                panic!("after the response has begun");
            }
            "/none" => {}
            "/unfinished" => {
                let response = begin(out, 200, &[("content-type", "text/plain")]);
                let _ = response.write(b"the beginning");
            }
            "/error" => ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some("on purpose".to_owned())))),
            "/spin" => loop {
                std::hint::black_box(());
            },
            _ => answer(out, 404, "no such misdeed"),
        }
    }
}
