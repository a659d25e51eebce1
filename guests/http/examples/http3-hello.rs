//! Greets, with `wasi:http` 0.3.

use wasip3::{
    http::types::{ErrorCode, Fields, Request, Response},
    spawn_local, wit_future, wit_stream,
};

wasip3::http::service::export!(Hello);

struct Hello;

impl wasip3::exports::http::handler::Guest for Hello {
    async fn handle(_: Request) -> Result<Response, ErrorCode> {
        let headers =
            Fields::from_list(&[("content-type".to_owned(), b"text/plain".to_vec())]).expect("the headers are valid");
        let (mut writer, body) = wit_stream::new();
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(headers, Some(body), trailers);
        spawn_local(async move { writer.write_all(b"Hello".to_vec()).await });
        Ok(response)
    }
}
