//! As `faulty-http`, with `wasi:http` 0.3.

#![cfg(target_env = "p2")]

use wasip3::{
    http::types::{ErrorCode, Fields, Request, Response},
    wit_future,
};

wasip3::http::service::export!(Faulty);

struct Faulty;

impl wasip3::exports::http::handler::Guest for Faulty {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let plain = [("content-type".to_owned(), b"text/plain".to_vec())];
        let headers = Fields::from_list(&plain).expect("the headers are valid");
        let status = 200 + faulty::share(0, path.len() as i32 - 1);
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(headers, None, trailers);
        let _ = response.set_status_code(status as u16);
        Ok(response)
    }
}
