//! Registries that answer as no registry should, or as few do.

use std::{
    convert::Infallible,
    future::ready,
    io::Write as _,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderMap, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST, LOCATION, WWW_AUTHENTICATE},
};
use nebula_runtime::Digest;
use tokio::net::TcpListener;

use super::{
    authorization::Access,
    blob::Blob,
    descriptor::{Descriptor, MANIFEST, Manifest},
    error::OciError,
    pull, push_image,
    reference::OciReference,
    registry::Registry,
};

/// Starts a registry that answers each request by a function, and returns a reference of it. It ends with the test.
async fn registry<F, A>(answer: F) -> OciReference
where
    F: Fn(Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("oci://{address}/team/shop:1").parse().unwrap()
}

/// Spaces without an end. They may stand before each JSON document.
fn endless(status: StatusCode) -> Response {
    let spaces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 64 << 10])));
    (status, Body::from_stream(spaces)).into_response()
}

fn status(status: StatusCode) -> Response {
    status.into_response()
}

fn with(status: StatusCode, name: http::HeaderName, value: &str) -> Response {
    (status, HeaderMap::from_iter([(name, value.parse().unwrap())])).into_response()
}

/// Asks for a token of the server itself.
fn ask_for_token(request: &Request) -> Response {
    let host = request.headers()[HOST].to_str().unwrap();
    with(StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, &format!("Bearer realm=\"http://{host}/token\""))
}

/// The message of an error and of its cause.
fn text(error: &OciError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

#[tokio::test]
async fn an_answer_without_an_end_is_an_error_and_does_not_fill_the_memory() {
    let of_token = |request: Request| {
        ready(if request.uri().path() == "/token" { endless(StatusCode::OK) } else { ask_for_token(&request) })
    };
    let cases = [
        (registry(|_| ready(endless(StatusCode::OK))).await, "the answer is larger than 4.0 MiB"),
        (registry(|_| ready(endless(StatusCode::IM_A_TEAPOT))).await, "the registry answers with status 418"),
        (registry(of_token).await, "the answer is larger than 256.0 KiB"),
    ];
    for (reference, expected) in cases {
        let failure = text(&pull(&reference).await.err().unwrap());
        assert!(failure.contains("failed to pull oci://127.0.0.1:") && failure.contains(expected), "{failure}");
    }
}

#[tokio::test]
async fn a_list_of_signatures_without_an_end_is_an_error() {
    let digest = Digest::of(b"a manifest");
    for answers in [StatusCode::OK, StatusCode::NOT_FOUND] {
        let reference = registry(move |request: Request| {
            let is_list = request.uri().path().contains("/referrers/");
            ready(if is_list { endless(answers) } else { endless(StatusCode::OK) })
        });
        let registry = Registry::of(&reference.await, Access::Pull).await.unwrap();
        let failure = text(&registry.referrers(&digest, "application/x").await.unwrap_err());
        assert!(failure.contains("the answer is larger than 4.0 MiB"), "{failure}");
    }
}

#[tokio::test]
async fn a_blob_with_more_or_other_bytes_than_its_descriptor_says_is_damaged() {
    for body in [None, Some("module and more"), Some("nodule"), Some("")] {
        let module = Descriptor::of("application/wasm", b"module");
        let manifest = Manifest::of(Descriptor::of("application/x", b"{}"), vec![module]);
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let reference = registry(move |request: Request| {
            let is_manifest = request.uri().path().contains("/manifests/");
            let blob = || body.map_or_else(|| endless(StatusCode::OK), |text| text.into_response());
            ready(if is_manifest { manifest.clone().into_response() } else { blob() })
        });
        let failure = text(&pull(&reference.await).await.err().unwrap());
        assert!(failure.contains("is damaged in the registry"), "{failure}");
    }
}

#[tokio::test]
async fn a_manifest_with_another_digest_than_it_was_asked_for_by_is_damaged() {
    let reference = registry(|_| ready("{}".into_response())).await;
    let registry = Registry::of(&reference, Access::Pull).await.unwrap();
    let digest = Digest::of(b"another manifest");
    let failure = registry.manifest(&registry.reference.at(&digest)).await.unwrap_err().to_string();
    assert!(failure.starts_with(&format!("blob {digest} of oci://127.0.0.1:")), "{failure}");
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_an_error() {
    let token = |answer: &'static str| {
        move |request: Request| {
            ready(if request.uri().path() == "/token" { answer.into_response() } else { ask_for_token(&request) })
        }
    };
    let challenge =
        |text: &'static str| move |_: Request| ready(with(StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, text));
    let cases = [
        (registry(token(r#"{"token":"a\nb"}"#)).await, "does not answer with a token"),
        (registry(token(r#"{"token":7}"#)).await, "does not answer with a token"),
        (registry(token("{}")).await, "does not answer with a token"),
        (registry(token(r#"{"token":"x"}"#)).await, "refuses it; log in with: docker login 127.0.0.1:"),
        (registry(challenge("Bearer realm=\"file:///etc/passwd\"")).await, "asks for a token in a way"),
        (registry(challenge("Bearer realm=\"http://127.0.0.1:1/\"")).await, "does not answer: error sending request"),
        (registry(challenge("Basic realm=\"x\"")).await, "refuses it; log in with: docker login 127.0.0.1:"),
        (registry(challenge("\"=,")).await, "refuses it; log in with: docker login 127.0.0.1:"),
    ];
    for (reference, expected) in cases {
        let failure = text(&pull(&reference).await.err().unwrap());
        assert!(failure.contains(expected), "{expected}: {failure}");
    }
}

/// Answers an upload, and has this `Location` where there is one.
fn uploads(location: Option<&'static str>) -> impl Fn(Request) -> std::future::Ready<Response> + Clone + Send + Sync {
    move |request: Request| {
        ready(match (request.method(), location) {
            (&Method::HEAD, _) => status(StatusCode::NOT_FOUND),
            (&Method::POST, Some(location)) => with(StatusCode::ACCEPTED, LOCATION, location),
            (&Method::POST, None) => status(StatusCode::ACCEPTED),
            _ => status(StatusCode::CREATED),
        })
    }
}

#[tokio::test]
async fn a_manifest_is_pushed_by_its_digest_to_a_registry_that_names_no_location_for_it() {
    let reference = registry(uploads(Some("/upload"))).await;
    let registry = Registry::of(&reference, Access::Push).await.unwrap();
    for at in [registry.reference.at(&Digest::of(b"{}")), registry.reference.at_tag("1".to_owned())] {
        registry.push_manifest(&at, Bytes::from_static(b"{}"), MANIFEST).await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_without_a_place_is_an_error() {
    for location in [None, Some("mailto:ada@example.com"), Some("http://[::1"), Some("ftp://127.0.0.1/upload")] {
        let reference = registry(uploads(location)).await;
        let failure = push_image(&reference, [&Blob::of("blob".into())], "{}".into()).await.unwrap_err();
        assert!(text(&failure).starts_with("failed to push a blob of oci://127.0.0.1:"), "{failure:?}");
        assert!(!failure.is_unreachable(), "{failure:?}");
    }
}

/// What a registry has received: the method, the path and the value of `Authorization`.
type Received = Arc<Mutex<Vec<(Method, String, Option<String>)>>>;

fn note(received: &Received, request: &Request) {
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    received.lock().unwrap().push((request.method().clone(), request.uri().to_string(), authorization));
}

#[tokio::test]
async fn a_blob_is_streamed_to_where_the_registry_says_and_other_hosts_see_no_token() {
    let (bytes, received) = (vec![7; 300_000], Received::default());
    let storage = {
        let (received, expected) = (received.clone(), bytes.clone());
        registry(move |request: Request| {
            note(&received, &request);
            let expected = expected.clone();
            async move {
                assert_eq!(request.headers()[CONTENT_LENGTH], expected.len().to_string());
                assert_eq!(to_bytes(request.into_body(), usize::MAX).await.unwrap(), expected);
                status(StatusCode::CREATED)
            }
        })
        .await
    };
    let location = format!("http://{}/store?state=1", storage.registry());
    let reference = registry(move |request: Request| {
        let is_allowed = request.headers().get(AUTHORIZATION).is_some_and(|value| value == "Bearer secret");
        ready(match *request.method() {
            _ if request.uri().path() == "/token" => r#"{"access_token":"secret"}"#.into_response(),
            _ if !is_allowed => ask_for_token(&request),
            Method::HEAD => status(StatusCode::NOT_FOUND),
            Method::POST => with(StatusCode::ACCEPTED, LOCATION, &location),
            _ => status(StatusCode::CREATED),
        })
    })
    .await;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let blob = Blob::of_file(file, bytes.len() as u64, Digest::of(&bytes));
    push_image(&reference, [&blob], "{}".into()).await.unwrap();
    let put = format!("/store?state=1&digest={}", blob.digest.to_string().replace(':', "%3A"));
    assert_eq!(*received.lock().unwrap(), [(Method::PUT, put, None)]);
}

#[tokio::test]
async fn a_token_that_has_expired_is_renewed_and_the_blob_is_sent_again() {
    let (tokens, bodies) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())));
    let pushed = bodies.clone();
    let reference = registry(move |request: Request| {
        let (tokens, bodies) = (tokens.clone(), bodies.clone());
        async move {
            if request.uri().path() == "/token" {
                *tokens.lock().unwrap() += 1;
                return format!("{{\"token\":\"{}\"}}", tokens.lock().unwrap()).into_response();
            }
            // The first token is good for the beginning of an upload, and the second for its end.
            let method = request.method().clone();
            let wanted = if method == Method::PUT { "Bearer 2" } else { "Bearer 1" };
            let is_allowed = request.headers().get(AUTHORIZATION).is_some_and(|value| value == wanted);
            let refusal = ask_for_token(&request);
            // Some registries want it, also for a request without a body.
            let has_length = request.headers().contains_key(CONTENT_LENGTH);
            let body = to_bytes(request.into_body(), usize::MAX).await.unwrap();
            match method {
                _ if !is_allowed => return refusal,
                Method::HEAD => return status(StatusCode::NOT_FOUND),
                Method::POST if has_length => return with(StatusCode::ACCEPTED, LOCATION, "/upload"),
                Method::POST => return status(StatusCode::LENGTH_REQUIRED),
                _ => bodies.lock().unwrap().push(body),
            }
            status(StatusCode::CREATED)
        }
    })
    .await;
    push_image(&reference, [&Blob::of("blob".into())], "{}".into()).await.unwrap();
    assert_eq!(*pushed.lock().unwrap(), [Bytes::from("blob"), Bytes::from("{}")]);
}

#[tokio::test]
async fn a_redirection_is_followed_and_the_other_host_sees_no_token() {
    let received = Received::default();
    let storage = {
        let received = received.clone();
        registry(move |request: Request| {
            note(&received, &request);
            ready(endless(StatusCode::OK))
        })
        .await
    };
    let location = format!("http://{}/blob", storage.registry());
    let reference = registry(move |request: Request| {
        ready(match request.headers().contains_key(AUTHORIZATION) {
            _ if request.uri().path() == "/token" => r#"{"token":"secret"}"#.into_response(),
            false => ask_for_token(&request),
            true => with(StatusCode::TEMPORARY_REDIRECT, LOCATION, &location),
        })
    })
    .await;
    let failure = text(&pull(&reference).await.err().unwrap());
    assert!(failure.contains("the answer is larger than 4.0 MiB"), "{failure}");
    assert_eq!(*received.lock().unwrap(), [(Method::GET, "/blob".to_owned(), None)]);
}
