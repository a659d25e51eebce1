//! Greets, with the standard library. The shortest handler that the usual tools build.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

wasip2::http::proxy::export!(Hello);

struct Hello;

impl wasip2::exports::http::incoming_handler::Guest for Hello {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let headers =
            Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]).expect("the headers are valid");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("it is taken once");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("it is taken once");
        stream.blocking_write_and_flush(b"Hello").expect("the client is connected");
        drop(stream);
        OutgoingBody::finish(body, None).expect("no length was announced");
    }
}
