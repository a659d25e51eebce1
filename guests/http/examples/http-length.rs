//! Announces a length that its body may not have. `/10/4` sets content-length to 10 and writes 4 bytes; `/-/4`
//! announces no length. A third part of the path is the status. With a fourth part, the guest writes single bytes and
//! waits for that number of milliseconds before each.

use http::{begin, path};
use wasip2::{
    clocks::monotonic_clock,
    http::types::{IncomingRequest, ResponseOutparam},
};

wasip2::http::proxy::export!(Length);

struct Length;

const MILLISECOND: u64 = 1_000_000;

impl wasip2::exports::http::incoming_handler::Guest for Length {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = path(&request);
        let mut parts = path.split('/').skip(1);
        let headers = [("content-type", "text/plain"), ("content-length", parts.next().unwrap_or("-"))];
        let announced = if headers[1].1 == "-" { 1 } else { 2 };
        let mut number = |default| parts.next().map_or(default, |part| part.parse().expect("a small number"));
        let (count, status, pause) = (number(0), number(200), number(0));
        let response = begin(out, status, &headers[..announced]);
        let body: Vec<_> = (b'0'..=b'9').cycle().take(count.into()).collect();
        for piece in body.chunks(if pause > 0 { 1 } else { body.len().max(1) }) {
            if pause > 0 {
                monotonic_clock::subscribe_duration(u64::from(pause) * MILLISECOND).block();
            }
            // The guest ignores errors and writes on.
            let _ = response.write(piece);
        }
        response.finish(None);
    }
}
