//! Shows whether instances are reused, and what ends one. The path says what it does: `/count` returns how many
//! requests the instance has served, `/trap` traps, `/spin` never ends, `/slow?ms=20` waits before its response,
//! `/after?ms=20` waits after it, `/flood` writes a response without end, `/error` fails with an error code.

use std::sync::atomic::{AtomicU32, Ordering};

use wasip3::{
    clocks::monotonic_clock,
    http::types::{ErrorCode, Fields, Request, Response},
    spawn_local,
    wit_bindgen::StreamWriter,
    wit_future, wit_stream,
};

wasip3::http::service::export!(Trap);

struct Trap;

/// The number of requests that this instance has served.
static COUNT: AtomicU32 = AtomicU32::new(0);

impl wasip3::exports::http::handler::Guest for Trap {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let count = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/count" => Ok(answer(200, count.to_string())),
            "/trap" => panic!("on purpose"),
            "/spin" => loop {
                std::hint::black_box(());
            },
            "/slow" => {
                let pause = milliseconds(query);
                monotonic_clock::wait_for(pause * 1_000_000).await;
                Ok(answer(200, format!("took {pause} ms")))
            }
            "/after" => {
                let pause = milliseconds(query);
                spawn_local(monotonic_clock::wait_for(pause * 1_000_000));
                Ok(answer(200, "answered".to_owned()))
            }
            "/flood" => Ok(respond(200, flood)),
            "/error" => Err(ErrorCode::InternalError(Some("on purpose".to_owned()))),
            _ => Ok(answer(404, "no such misdeed".to_owned())),
        }
    }
}

fn milliseconds(query: &str) -> u64 {
    query.strip_prefix("ms=").and_then(|pause| pause.parse().ok()).unwrap_or(20)
}

fn answer(status: u16, text: String) -> Response {
    respond(status, async move |mut writer| drop(writer.write_all(text.into_bytes()).await))
}

/// Writes until nobody reads the response any more.
async fn flood(mut writer: StreamWriter<u8>) {
    while writer.write_all(vec![b'x'; 64 * 1024]).await.is_empty() {}
}

fn respond<F: Future<Output = ()> + 'static>(status: u16, write: impl FnOnce(StreamWriter<u8>) -> F) -> Response {
    let headers =
        Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]).expect("the headers are valid");
    let (writer, body) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(headers, Some(body), trailers);
    response.set_status_code(status).expect("the status is valid");
    spawn_local(write(writer));
    response
}
