//! Runs on after its response is complete. It waits for `?ms=50` milliseconds, and then writes a line to stderr.

use http::{answer, number};
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    http::types::{IncomingRequest, ResponseOutparam},
};

wasip2::http::proxy::export!(After);

struct After;

impl wasip2::exports::http::incoming_handler::Guest for After {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let pause = number(&request, "ms", 50);
        answer(out, 200, "answered");
        subscribe_duration(pause * 1_000_000).block();
        eprintln!("went on for {pause} ms after the response");
    }
}
