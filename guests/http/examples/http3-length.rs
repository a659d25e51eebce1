//! Does the same as `http-length`, with `wasi:http` 0.3: it announces a length that its body may not have.

use wasip3::{
    clocks::monotonic_clock,
    http::types::{ErrorCode, Fields, Request, Response},
    spawn_local, wit_future, wit_stream,
};

wasip3::http::service::export!(Length);

struct Length;

const MILLISECOND: u64 = 1_000_000;

impl wasip3::exports::http::handler::Guest for Length {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let mut parts = path.split('/').skip(1);
        let headers = ["text/plain", parts.next().unwrap_or("-")].map(|value| value.as_bytes().to_vec());
        let headers = ["content-type", "content-length"].map(str::to_owned).into_iter().zip(headers);
        let headers: Vec<_> = headers.filter(|(_, value)| value != b"-").collect();
        let mut number = |default| parts.next().map_or(default, |part| part.parse().expect("a small number"));
        let (count, status, pause): (u16, u16, u16) = (number(0), number(200), number(0));
        let (mut writer, body) = wit_stream::new();
        let (_, trailers) = wit_future::new(|| Ok(None));
        let headers = Fields::from_list(&headers).expect("the headers are valid");
        let (response, _) = Response::new(headers, Some(body), trailers);
        response.set_status_code(status).expect("the status is valid");
        spawn_local(async move {
            let body: Vec<_> = (b'0'..=b'9').cycle().take(count.into()).collect();
            for piece in body.chunks(if pause > 0 { 1 } else { body.len().max(1) }) {
                if pause > 0 {
                    monotonic_clock::wait_for(u64::from(pause) * MILLISECOND).await;
                }
                // The guest ignores errors and writes on.
                writer.write_all(piece.to_vec()).await;
            }
        });
        Ok(response)
    }
}
