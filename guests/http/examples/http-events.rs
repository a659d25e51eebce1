//! Sends server-sent events: with `?count=3&ms=20`, three events, one each 20 milliseconds.

use http::{begin, number};
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    http::types::{IncomingRequest, ResponseOutparam},
};

wasip2::http::proxy::export!(Events);

struct Events;

impl wasip2::exports::http::incoming_handler::Guest for Events {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (count, pause) = (number(&request, "count", 3), number(&request, "ms", 20));
        let headers = [("content-type", "text/event-stream"), ("cache-control", "no-store")];
        let response = begin(out, 200, &headers);
        for event in 1..=count {
            if event > 1 {
                subscribe_duration(pause * 1_000_000).block();
            }
            if response.write(format!("data: {event}\n\n").as_bytes()).is_err() {
                return eprintln!("nobody listens to event {event}");
            }
        }
        response.finish(None);
    }
}
