//! Divides by the length of the path, and traps if that is 1: `/` has nothing to divide by.

#![cfg(target_env = "p2")]

use wasip2::http::types::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Faulty);

struct Faulty;

impl wasip2::exports::http::incoming_handler::Guest for Faulty {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let plain = [("content-type".to_owned(), b"text/plain".to_vec())];
        let headers = Fields::from_list(&plain).expect("the headers are valid");
        let status = 200 + faulty::share(0, path.len() as i32 - 1);
        let response = OutgoingResponse::new(headers);
        let _ = response.set_status_code(status as u16);
        ResponseOutparam::set(out, Ok(response));
    }
}
