//! Clients with HTTP/2: what they are answered, what they cannot do to others, and how their connections end.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::Router;
use bytes::Bytes;
use futures_util::{future::join_all, stream};
use h2::{
    Reason,
    client::{Builder, ResponseFuture, SendRequest},
};
use http::{Method, Request, Response, Version};
use http_body_util::StreamBody;
use nebula_http::{ServerConfig, Stopped};
use nebula_runtime::{Body, Invocation, InvokeError};
use tokio::{io::AsyncReadExt as _, sync::mpsc, task::JoinHandle};

use crate::support::{Client, SOON, Server, app, ok, patient, text, witnesses};

/// A connection that has begun with HTTP/2.
struct Http2 {
    requests: SendRequest<Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

impl Http2 {
    async fn connect(server: &Server) -> Self {
        Self::with(server, &Builder::new()).await
    }

    async fn with(server: &Server, settings: &Builder) -> Self {
        let stream = server.connect().await.0;
        let (requests, connection) = settings.handshake(stream).await.unwrap();
        Self { requests, ended: tokio::spawn(connection) }
    }

    /// Sends a request without a body. Its answer is awaited by the caller.
    async fn send(&self, request: Request<()>) -> ResponseFuture {
        let mut requests = self.requests.clone().ready().await.unwrap();
        requests.send_request(request, true).unwrap().0
    }

    async fn get(&self, path: &str) -> ResponseFuture {
        self.send(Request::get(format!("http://test{path}")).body(()).unwrap()).await
    }
}

/// The status and the body of an answer.
async fn read(answer: ResponseFuture) -> (u16, String) {
    let (head, mut body) = answer.await.unwrap().into_parts();
    let mut read = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.unwrap();
        body.flow_control().release_capacity(part.len()).unwrap();
        read.extend(part);
    }
    (head.status.as_u16(), String::from_utf8(read).unwrap())
}

/// The preface of a client that writes its frames itself, with empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of `GET / http://test`, as HPACK writes them.
const GET: &[u8] = b"\x82\x86\x84\x41\x04test";

/// Reads until the connection ends. A reset counts as an end.
async fn read_bytes(client: &mut Client) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = client.0.read_to_end(&mut read).await;
    read
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_at_once() {
    let (started, mut starts) = mpsc::unbounded_channel();
    let (release, released) = tokio::sync::watch::channel(false);
    let waiting = app(move |invocation: Invocation| {
        started.send(()).unwrap();
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok(text(&invocation, invocation.function.to_string()))
        }
    });
    let server = Server::start(waiting, patient()).await;
    let client = Http2::connect(&server).await;
    let mut answers = Vec::new();
    for number in 0..50 {
        answers.push(client.get(&format!("/api/f{number}")).await);
    }
    for _ in 0..50 {
        starts.recv().await.unwrap();
    }
    release.send(true).unwrap();
    let answers = join_all(answers.into_iter().map(read)).await;
    assert_eq!(answers, (0..50).map(|number| (200, format!("f{number}"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_answer_is_of_the_version_that_the_client_speaks() {
    let server = Server::start(ok(), patient()).await;
    let head: Response<_> = Http2::connect(&server).await.get("/api/f").await.await.unwrap();
    assert_eq!((head.version(), head.headers().contains_key("date")), (Version::HTTP_2, true));
    for method in ["GET", "PUT", "PROPFIND", "PRIX"] {
        let mut client = server.connect().await;
        // The first bytes of some methods are also those of HTTP/2.
        for part in [&method[..1], &method[1..], " /api/f HTTP/1.1\r\nhost: test\r\n\r\n"] {
            client.send(part).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(client.read_until("\r\n").await, "HTTP/1.1 200 OK\r\n", "{method}");
    }
}

/// A target, header fields, and what the function sees or why the request is refused.
type HostCase = (&'static str, &'static [(&'static str, &'static str)], Result<&'static str, &'static str>);

#[tokio::test]
async fn there_is_exactly_one_host_and_authority_stands_for_it() {
    let seen = app(async |invocation: Invocation| {
        let nebula_runtime::Input::Http(request) = invocation.event.input() else { unreachable!() };
        let fields = ["host", "cookie"].map(|name| request.headers().get_all(name).iter().cloned().collect::<Vec<_>>());
        Ok(text(&invocation, format!("{} {fields:?}", request.uri())))
    });
    let server = Server::start(seen, patient()).await;
    let client = Http2::connect(&server).await;
    let differs = "the request's Host field is another host than its :authority";
    let cases: [HostCase; 8] = [
        ("http://a.test/api/f", &[], Ok("http://a.test/api/f [[\"a.test\"], []]")),
        ("https://a.test:8/api/f", &[("host", "A.test:8")], Ok("https://a.test:8/api/f [[\"a.test:8\"], []]")),
        (
            "http://a.test/api/f",
            &[("cookie", "a=1"), ("cookie", "b=2")],
            Ok("http://a.test/api/f [[\"a.test\"], [\"a=1; b=2\"]]"),
        ),
        ("http://a.test/api/f", &[("host", "b.test")], Err(differs)),
        (
            "http://a.test/api/f",
            &[("host", "a.test"), ("host", "a.test")],
            Err("the request has more than one Host field"),
        ),
        ("http://user@a.test/api/f", &[], Err("the request's target is neither a path nor a URL of http or https")),
        ("ftp://a.test/api/f", &[], Err("the request's target is neither a path nor a URL of http or https")),
        ("http://a.test/api/f", &[("host", "")], Err(differs)),
    ];
    for (target, fields, expected) in cases {
        let request = fields.iter().fold(Request::get(target), |request, (name, value)| request.header(*name, *value));
        let (status, body) = read(client.send(request.body(()).unwrap()).await).await;
        match expected {
            Ok(expected) => assert_eq!((status, body.as_str()), (200, expected)),
            Err(detail) => assert!(status == 400 && body.contains(detail), "{target} {fields:?}: {status} {body}"),
        }
    }
    let mut connect = Request::new(());
    (*connect.method_mut(), *connect.uri_mut()) = (Method::CONNECT, "a.test:443".parse().unwrap());
    assert_eq!(read(client.send(connect).await).await.0, 405);
    let mut without = server.connect().await;
    without.send([PREFACE, &frame(1, 5, 1, b"\x82\x86\x84")].concat()).await;
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("the request has no Host field") {
        read.push(without.0.read_u8().await.unwrap());
    }
}

/// An answer that never ends and counts its pieces.
fn endless(pieces: Arc<AtomicUsize>) -> Body {
    let items = stream::repeat_with(move || {
        pieces.fetch_add(1, Relaxed);
        Ok::<_, InvokeError>(http_body::Frame::data(Bytes::from_static(&[b'x'; 4096])))
    });
    Body::stream(StreamBody::new(items))
}

#[tokio::test]
async fn a_client_that_does_not_read_one_answer_loses_it_and_no_other() {
    let (witness, mut dropped) = witnesses();
    let pieces = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&pieces);
    let function = app(move |invocation: Invocation| {
        let (witness, pieces) = (witness(), Arc::clone(&counted));
        async move {
            Ok(match invocation.function.to_string().as_str() {
                "endless" => text(&invocation, endless(pieces).on_end(move |_| drop(witness))),
                "large" => text(&invocation, vec![b'x'; 1 << 20]),
                _ => text(&invocation, "ok"),
            })
        }
    });
    let server = Server::start(function, ServerConfig { write_stall: SOON, ..patient() }).await;
    let client = Http2::with(&server, Builder::new().initial_window_size(1)).await;
    for path in ["/api/endless", "/api/large"] {
        let answer = client.get(path).await.await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        let end = loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.reason(),
                None => break None,
            }
        };
        assert_eq!(end, Some(Reason::CANCEL), "{path}");
    }
    dropped.recv().await.unwrap();
    assert!(pieces.load(Relaxed) < 10, "a client that does not read gets no more than it has room for");
    let mut answer = client.get("/api/small").await.await.unwrap();
    // The window has room for one byte.
    assert_eq!(answer.body_mut().data().await.unwrap().unwrap(), "o");
}

#[tokio::test]
async fn a_client_that_reads_gets_all_of_a_large_answer() {
    let large = app(async |invocation| Ok(text(&invocation, vec![b'x'; 8 << 20])));
    let server = Server::start(large, ServerConfig { write_stall: SOON, idle_timeout: SOON, ..patient() }).await;
    let client = Http2::connect(&server).await;
    let (status, body) = read(client.get("/api/f").await).await;
    assert_eq!((status, body.len()), (200, 8 << 20));
}

/// A function that never ends, its starts, and the ends of its calls.
struct Unending {
    app: Router,
    starts: mpsc::UnboundedReceiver<()>,
    dropped: mpsc::UnboundedReceiver<()>,
}

fn unending() -> Unending {
    let (witness, dropped) = witnesses();
    let (started, starts) = mpsc::unbounded_channel();
    let app = app(move |_| {
        let witness = witness();
        started.send(()).unwrap();
        async move {
            let _witness = witness;
            pending().await
        }
    });
    Unending { app, starts, dropped }
}

#[tokio::test]
async fn a_stream_that_is_reset_and_a_connection_that_ends_stop_their_functions() {
    let Unending { app, mut starts, mut dropped } = unending();
    let server = Server::start(app, patient()).await;
    let client = Http2::connect(&server).await;
    let first = client.get("/api/f").await;
    starts.recv().await.unwrap();
    // A request that is dropped is reset.
    drop(first);
    dropped.recv().await.unwrap();
    let _answers = (client.get("/api/f").await, client.get("/api/f").await);
    starts.recv().await.unwrap();
    starts.recv().await.unwrap();
    client.ended.abort();
    dropped.recv().await.unwrap();
    dropped.recv().await.unwrap();
}

#[tokio::test]
async fn an_upload_that_is_reset_is_not_taken_for_a_whole_one() {
    let (witness, mut dropped) = witnesses();
    let (started, mut starts) = mpsc::unbounded_channel();
    let whole = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&whole);
    let collecting = app(move |invocation: Invocation| {
        let (witness, whole) = (witness(), Arc::clone(&counted));
        started.send(()).unwrap();
        async move {
            let _witness = witness;
            let report = invocation.report.clone();
            let body = invocation.event.into_parts().0.into_body().collect(100).await?;
            whole.fetch_add(1, Relaxed);
            Ok(nebula_runtime::Response::new(http::HeaderValue::from_static("text/plain"), body, report))
        }
    });
    let server = Server::start(collecting, patient()).await;
    let client = Http2::connect(&server).await;
    for reason in [Reason::NO_ERROR, Reason::CANCEL] {
        let mut requests = client.requests.clone().ready().await.unwrap();
        let request = Request::post("http://test/api/f").body(()).unwrap();
        let (_answer, mut upload) = requests.send_request(request, false).unwrap();
        upload.send_data("half".into(), false).unwrap();
        starts.recv().await.unwrap();
        upload.send_reset(reason);
        dropped.recv().await.unwrap();
    }
    let mut requests = client.requests.clone().ready().await.unwrap();
    let (answer, mut upload) =
        requests.send_request(Request::post("http://test/api/f").body(()).unwrap(), false).unwrap();
    upload.send_data("wh".into(), false).unwrap();
    upload.send_data("ole".into(), true).unwrap();
    assert_eq!((read(answer).await, whole.load(Relaxed)), ((200, "whole".to_owned()), 1));
}

#[tokio::test]
async fn a_client_that_resets_streams_as_fast_as_it_can_is_cut_off() {
    let server = Server::start(ok(), patient()).await;
    let mut client = server.connect().await;
    let pair = |stream| [frame(1, 5, stream, GET), frame(3, 0, stream, &8_u32.to_be_bytes())].concat();
    let pairs: Vec<_> = (0..500).flat_map(|number| pair(2 * number + 1)).collect();
    client.send([PREFACE, &pairs].concat()).await;
    let answer = read_bytes(&mut client).await;
    // The last frame is GOAWAY with ENHANCE_YOUR_CALM.
    let is_goaway =
        |window: &[u8]| window.starts_with(&[7, 0, 0, 0, 0, 0]) && window.get(10..14) == Some(&[0, 0, 0, 11]);
    assert!(answer.windows(14).any(is_goaway), "{answer:?}");
    assert_eq!(read(Http2::connect(&server).await.get("/api/f").await).await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn a_connection_has_a_hundred_requests_at_once_and_their_fields_are_bounded() {
    let server = Server::start(ok(), patient()).await;
    let client = Http2::connect(&server).await;
    assert_eq!(read(client.get("/api/f").await).await, (200, "ok".to_owned()));
    assert_eq!(client.requests.current_max_send_streams(), 100);
    let large = Request::get("http://test/api/f").header("x-large", "x".repeat(70_000)).body(()).unwrap();
    assert_eq!(client.send(large).await.await.unwrap().status(), 431);
}

#[tokio::test]
async fn a_connection_without_a_request_is_told_to_end() {
    let server = Server::start(ok(), ServerConfig { idle_timeout: SOON, ..patient() }).await;
    let client = Http2::connect(&server).await;
    assert_eq!(read(client.get("/api/f").await).await, (200, "ok".to_owned()));
    assert!(client.ended.await.unwrap().is_ok(), "the server says that it closes the connection");
    // This client does not say that it has understood.
    let mut deaf = server.connect().await;
    deaf.send(PREFACE).await;
    assert!(!read_bytes(&mut deaf).await.is_empty());
}

#[tokio::test]
async fn a_preface_that_does_not_come_to_its_end_is_waited_for_as_a_head() {
    let server = Server::start(ok(), ServerConfig { header_timeout: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.send(&PREFACE[..20]).await;
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn draining_finishes_running_requests_and_ends_idle_connections() {
    let (started, mut starts) = mpsc::unbounded_channel();
    let (release, released) = tokio::sync::watch::channel(false);
    let waiting = app(move |invocation| {
        started.send(()).unwrap();
        let mut released = released.clone();
        async move {
            released.wait_for(|released| *released).await.unwrap();
            Ok(text(&invocation, "finished"))
        }
    });
    let server = Server::start(waiting, patient()).await;
    let (busy, idle) = (Http2::connect(&server).await, Http2::connect(&server).await);
    assert_eq!(read(idle.get("/elsewhere").await).await.0, 404);
    let answer = busy.get("/api/f").await;
    starts.recv().await.unwrap();
    server.shutdown.drain();
    assert!(idle.ended.await.unwrap().is_ok());
    release.send(true).unwrap();
    assert_eq!(read(answer).await, (200, "finished".to_owned()));
    assert!(busy.ended.await.unwrap().is_ok());
    assert_eq!(server.stopped.await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn quitting_ends_running_requests_at_once() {
    let Unending { app, mut starts, mut dropped } = unending();
    let server = Server::start(app, patient()).await;
    let client = Http2::connect(&server).await;
    let _answer = client.get("/api/f").await;
    starts.recv().await.unwrap();
    server.shutdown.quit();
    assert_eq!(server.stopped.await.unwrap(), Stopped::Cut(1));
    dropped.recv().await.unwrap();
}
