//! Sends the request's body back piece by piece, with its media type and its trailers. It uses `wasi:http` 0.3.

use wasip3::{
    http::types::{ErrorCode, Fields, Request, Response},
    spawn_local,
    wit_bindgen::{StreamReader, StreamResult, StreamWriter},
    wit_future, wit_stream,
};

wasip3::http::service::export!(Echo);

struct Echo;

impl wasip3::exports::http::handler::Guest for Echo {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::new();
        // Only a client that announced trailers gets them back.
        for name in ["content-type", "trailer"] {
            let values = request.get_headers().get(name);
            headers.set(name, &values).expect("a received header may be sent");
        }
        let (done, consumed) = wit_future::new(|| Ok(()));
        let (incoming, trailers) = Request::consume_body(request, consumed);
        let (outgoing, body) = wit_stream::new();
        let (response, _) = Response::new(headers, Some(body), trailers);
        spawn_local(async move {
            copy(incoming, outgoing).await;
            // Only now does the sender of the request learn that it was received.
            done.write(Ok(())).await
        });
        Ok(response)
    }
}

/// Copies the body. It holds one piece at a time.
async fn copy(mut incoming: StreamReader<u8>, mut outgoing: StreamWriter<u8>) {
    let mut piece = Vec::with_capacity(64 * 1024);
    loop {
        let (result, read) = incoming.read(piece).await;
        piece = outgoing.write_all(read).await;
        let nobody_reads = !piece.is_empty();
        piece.clear();
        if nobody_reads || !matches!(result, StreamResult::Complete(_)) {
            return;
        }
    }
}
