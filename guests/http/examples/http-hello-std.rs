//! Greets, with the standard library: what the usual tools make of the shortest handler.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Hello);

struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let headers =
            Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]).expect("they are valid");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("nobody took it before");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("nobody took it before");
        stream.blocking_write_and_flush(b"Hello").expect("the client is there");
        drop(stream);
        OutgoingBody::finish(body, None).expect("it has no length to keep to");
    }
}
