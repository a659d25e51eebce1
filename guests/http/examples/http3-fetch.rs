//! Does the same as `http-fetch`, with `wasi:http` 0.3. If the URL has no path, the outgoing request has none.

use wasip3::{
    http::{
        client,
        types::{ErrorCode, Fields, Request, RequestOptions, Response, Scheme},
    },
    spawn_local,
    wit_bindgen::{StreamReader, StreamResult, StreamWriter},
    wit_future, wit_stream,
};

wasip3::http::service::export!(Fetch);

struct Fetch;

impl wasip3::exports::http::handler::Guest for Fetch {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let query = target.split_once('?').unwrap_or_default().1;
        let Some(request) = value(query, "url").and_then(|url| get(url, options(query))) else {
            return Ok(answer(400, "?url= is no URL of http or https".to_owned()));
        };
        match client::send(request).await {
            Ok(response) => Ok(pass_on(response)),
            Err(code) => Ok(answer(502, code.to_string())),
        }
    }
}

/// A value of the query, not decoded.
fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn options(query: &str) -> RequestOptions {
    let nanoseconds = |name| value(query, name).and_then(|text| text.parse().ok()).map(|ms: u64| ms * 1_000_000);
    let options = RequestOptions::new();
    options.set_connect_timeout(nanoseconds("connect")).expect("the host supports the timeout");
    options.set_first_byte_timeout(nanoseconds("first-byte")).expect("the host supports the timeout");
    options.set_between_bytes_timeout(nanoseconds("between-bytes")).expect("the host supports the timeout");
    options
}

fn get(url: &str, options: RequestOptions) -> Option<Request> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(Fields::new(), None, trailers, Some(options));
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(path).filter(|path| !path.is_empty())).ok()?;
    Some(request)
}

/// Passes a response on piece by piece. If its body fails, the body of this handler's response fails too.
fn pass_on(response: Response) -> Response {
    let (status, headers) = (response.get_status_code(), Fields::new());
    let media_type = response.get_headers().get("content-type");
    headers.set("content-type", &media_type).expect("a received header may be sent");
    let (done, consumed) = wit_future::new(|| Ok(()));
    let (incoming, trailers) = Response::consume_body(response, consumed);
    let (outgoing, body) = wit_stream::new();
    let (response, _) = Response::new(headers, Some(body), trailers);
    response.set_status_code(status).expect("the status is valid");
    spawn_local(async move {
        copy(incoming, outgoing).await;
        done.write(Ok(())).await
    });
    response
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

fn answer(status: u16, text: String) -> Response {
    let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec())]);
    let (mut writer, body) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(headers.expect("the headers are valid"), Some(body), trailers);
    response.set_status_code(status).expect("the status is valid");
    spawn_local(async move { drop(writer.write_all(text.into_bytes()).await) });
    response
}
