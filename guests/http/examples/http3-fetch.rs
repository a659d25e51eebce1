//! Fetches `?url=http://…` by `wasi:http` 0.3, and answers with the body that it gets; where it gets nothing, with 502 and
//! the error's code. Where the URL has no path, its request has none.

use wasip3::{
    http::{
        client,
        types::{ErrorCode, Fields, Request, Response, Scheme},
    },
    spawn_local, wit_future, wit_stream,
};

wasip3::http::service::export!(Fetch);

struct Fetch;

impl wasip3::exports::http::handler::Guest for Fetch {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let url = target.split_once("url=http://").map(|(_, url)| url);
        let Some(request) = url.and_then(get) else {
            return Ok(answer(400, "?url= is no URL of http".to_owned()));
        };
        match client::send(request).await {
            Ok(response) => Ok(pass_on(response)),
            Err(code) => Ok(answer(502, code.to_string())),
        }
    }
}

fn get(url: &str) -> Option<Request> {
    let (authority, path) = url.split_at(url.find(['/', '?']).unwrap_or(url.len()));
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(Fields::new(), None, trailers, None);
    request.set_scheme(Some(&Scheme::Http)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(path).filter(|path| !path.is_empty())).ok()?;
    Some(request)
}

fn pass_on(response: Response) -> Response {
    let (_, consumed) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(response, consumed);
    Response::new(Fields::new(), Some(body), trailers).0
}

fn answer(status: u16, text: String) -> Response {
    let headers = Fields::from_list(&[("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec())]);
    let (mut writer, body) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(headers.expect("they are valid"), Some(body), trailers);
    response.set_status_code(status).expect("it is a status");
    spawn_local(async move { drop(writer.write_all(text.into_bytes()).await) });
    response
}
