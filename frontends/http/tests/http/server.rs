//! The server: clients that are slow, disconnect or send nothing, and its shutdown.

use std::{future::pending, io, time::Duration};

use crate::support::{Client, NEVER, SOON, Server, api, app, ok, patient, text, witnesses};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::StreamBody;
use nebula_http::{ServerConfig, Stopped};
use nebula_runtime::{Body, ErrorKind, Invocation, InvokeError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    select,
};

/// A body of these items.
fn streaming(items: impl stream::Stream<Item = Result<Bytes, InvokeError>> + Send + 'static) -> Body {
    Body::stream(StreamBody::new(items.map(|item| item.map(http_body::Frame::data))))
}

/// Fails if the server does not serve other clients.
async fn assert_serves(server: &Server) {
    let mut client = server.connect().await;
    client.send("GET /api/f HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_connection_with_an_incomplete_head_is_closed() {
    let server = Server::start(ok(), ServerConfig { header_timeout: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.send("GET /api/f HTTP/1.1\r\nhost: te").await;
    assert_eq!(client.read_to_end().await, "");
    assert_serves(&server).await;
}

#[tokio::test]
async fn a_connection_whose_head_comes_byte_by_byte_is_closed() {
    let server = Server::start(ok(), ServerConfig { header_timeout: SOON, ..patient() }).await;
    let (mut read, mut write) = server.connect().await.0.into_split();
    write.write_all(b"GET /api/f HTTP/1.1\r\nhost: test\r\nx: ").await.unwrap();
    let mut drip = tokio::time::interval(SOON / 10);
    let mut byte = [0];
    let ended = loop {
        select! {
            ended = read.read(&mut byte) => break ended,
            // A byte for a connection that is being closed is lost.
            _ = drip.tick() => drop(write.write_all(b"x").await),
        }
    };
    // Bytes that arrive after the close reset the connection.
    assert!(matches!(&ended, Ok(0)) || ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_connection_with_an_incomplete_second_head_is_closed() {
    let server = Server::start(ok(), ServerConfig { header_timeout: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.get("/api/f").await;
    client.read_until("\r\n\r\nok").await;
    client.send("GET /api/f HT").await;
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let server = Server::start(ok(), ServerConfig { header_timeout: SOON, ..patient() }).await;
    assert_eq!(server.connect().await.read_to_end().await, "");
}

#[tokio::test]
async fn a_connection_without_another_request_is_closed() {
    let server = Server::start(ok(), ServerConfig { idle_timeout: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.get("/api/f").await;
    client.read_until("\r\n\r\nok").await;
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn an_upload_that_stalls_is_answered_and_its_connection_closed() {
    let collecting = api(async |invocation: Invocation| {
        let report = invocation.report.clone();
        let body = invocation.event.into_parts().0.into_body().collect(100).await?;
        Ok(nebula_runtime::Response::new(http::HeaderValue::from_static("text/plain"), body, report))
    });
    let server = Server::start(collecting.with_body_stall(SOON).router(), patient()).await;
    let mut client = server.connect().await;
    client.send("POST /api/f HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhalf").await;
    let answer = client.read_until("}").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("\"detail\":\"the request body stalled\""), "{answer}");
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn a_client_that_never_reads_is_disconnected_and_its_function_stopped() {
    let (witness, mut dropped) = witnesses();
    let endless = app(move |invocation| {
        let witness = witness();
        let items = stream::repeat_with(move || {
            let _ = &witness;
            Ok(Bytes::from_static(&[b'x'; 4096]))
        });
        async move { Ok(text(&invocation, streaming(items))) }
    });
    let server = Server::start(endless, ServerConfig { write_stall: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.get("/api/f").await;
    assert_eq!(dropped.recv().await, Some(()));
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_idle() {
    let large = app(async |invocation| Ok(text(&invocation, vec![b'x'; 32 << 20])));
    let server = Server::start(large, ServerConfig { idle_timeout: SOON, ..patient() }).await;
    let mut client = server.connect().await;
    client.get("/api/f").await;
    client.read_until("\r\n\r\n").await;
    let mut pace = tokio::time::interval(SOON / 10);
    let (mut buffer, mut read) = (vec![0; 1 << 20], 0);
    while read < 32 << 20 {
        pace.tick().await;
        let count = client.0.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "ended after {read} bytes");
        read += count;
    }
}

#[tokio::test]
async fn a_client_that_disconnects_stops_its_function() {
    let (witness, mut dropped) = witnesses();
    let never = app(move |invocation| {
        let witness = witness();
        async move {
            let _witness = witness;
            match invocation.function.name().as_str() {
                "spins" => loop {
                    tokio::task::yield_now().await;
                },
                _ => pending().await,
            }
        }
    });
    let server = Server::start(never, patient()).await;
    let unread_body =
        format!("POST /api/f HTTP/1.1\r\nhost: test\r\ncontent-length: 50000\r\n\r\n{}", "x".repeat(50_000));
    let requests = [
        "GET /api/waits HTTP/1.1\r\nhost: test\r\n\r\n",
        "GET /api/spins HTTP/1.1\r\nhost: test\r\n\r\n",
        &unread_body,
    ];
    for request in requests {
        let mut client = server.connect().await;
        client.send(request).await;
        drop(client);
        assert_eq!(dropped.recv().await, Some(()), "{request}");
    }
}

#[tokio::test]
async fn a_client_that_disconnects_stops_a_function_that_streams() {
    let (witness, mut dropped) = witnesses();
    let first_then_nothing = app(move |invocation| {
        let witness = witness();
        let items = stream::once(async { Ok(Bytes::from("first")) }).chain(stream::once(async move {
            let _witness = witness;
            pending().await
        }));
        async move { Ok(text(&invocation, streaming(items))) }
    });
    let server = Server::start(first_then_nothing, patient()).await;
    let mut client = server.connect().await;
    client.get("/api/f").await;
    client.read_until("first\r\n").await;
    drop(client);
    assert_eq!(dropped.recv().await, Some(()));
}

#[tokio::test]
async fn an_answer_that_fails_in_the_middle_has_no_end() {
    let half = app(async |invocation| {
        let failure = async {
            // The bytes before this are sent first.
            tokio::task::yield_now().await;
            Err(InvokeError::new(ErrorKind::GuestFault, "the guest trapped"))
        };
        let items = stream::once(async { Ok(Bytes::from("half")) }).chain(stream::once(failure));
        Ok(text(&invocation, streaming(items)))
    });
    let server = Server::start(half, patient()).await;
    let mut client = server.connect().await;
    client.get("/api/f").await;
    let answer = client.read_to_end().await;
    assert!(answer.ends_with("\r\n\r\n4\r\nhalf\r\n"), "{answer}");
}

#[tokio::test]
async fn a_refused_upload_is_read_so_that_its_client_can_read_the_answer() {
    let refusing = app(async |_| Err(InvokeError::new(ErrorKind::PayloadTooLarge, "too large")));
    let server = Server::start(refusing, patient()).await;
    let size = 8 << 20;
    let mut client = server.connect().await;
    client.send(format!("POST /api/f HTTP/1.1\r\nhost: test\r\ncontent-length: {size}\r\n\r\n")).await;
    client.send(vec![b'x'; size]).await;
    let answer = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    assert!(answer.ends_with('}'), "{answer}");
}

#[tokio::test]
async fn requests_sent_together_are_answered_in_order() {
    let named = app(async |invocation: Invocation| Ok(text(&invocation, invocation.function.to_string())));
    let server = Server::start(named, patient()).await;
    let mut client = server.connect().await;
    client.send("GET /api/a HTTP/1.1\r\nhost: test\r\n\r\nGET /api/b HTTP/1.1\r\nhost: test\r\n\r\n").await;
    client.read_until("\r\n\r\na").await;
    client.read_until("\r\n\r\nb").await;
}

#[tokio::test]
async fn a_connection_above_the_limit_waits_for_one_to_end() {
    let server = Server::start(ok(), ServerConfig { max_connections: Some(1), ..patient() }).await;
    let mut first = server.connect().await;
    first.get("/api/f").await;
    first.read_until("\r\n\r\nok").await;
    let mut second = server.connect().await;
    second.get("/api/f").await;
    // The first connection is still served, and the second one is not closed.
    first.get("/api/f").await;
    first.read_until("\r\n\r\nok").await;
    drop(first);
    second.read_until("\r\n\r\nok").await;
}

/// A server with one request that runs until the test ends it.
async fn busy(config: ServerConfig) -> (Server, Client, tokio::sync::oneshot::Sender<()>) {
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let (finish, finished) = tokio::sync::oneshot::channel();
    let finished = std::sync::Mutex::new(Some(finished));
    let waiting = app(move |invocation| {
        let finished = finished.lock().unwrap().take().unwrap();
        started.send(()).unwrap();
        async move {
            finished.await.unwrap();
            Ok(text(&invocation, "finished"))
        }
    });
    let server = Server::start(waiting, config).await;
    let mut client = server.connect().await;
    client.get("/api/f").await;
    starts.recv().await.unwrap();
    (server, client, finish)
}

/// Waits until the server does not listen any more.
async fn refused(server: &Server) {
    while let Ok(connection) = TcpStream::connect(server.address).await {
        drop(connection);
    }
}

#[tokio::test]
async fn draining_finishes_running_requests_and_refuses_new_connections() {
    let (server, mut client, finish) = busy(patient()).await;
    let mut idle = server.connect().await;
    idle.get("/elsewhere").await;
    idle.read_until("\r\n\r\n").await;
    server.shutdown.drain();
    assert_eq!(idle.read_to_end().await, "");
    refused(&server).await;
    finish.send(()).unwrap();
    let answer = client.read_to_end().await;
    assert!(answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\nfinished"), "{answer}");
    assert_eq!(server.stopped.await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn draining_cuts_running_requests_after_the_grace_period() {
    let (server, mut client, _finish) = busy(ServerConfig { grace: SOON, ..patient() }).await;
    server.shutdown.drain();
    assert_eq!(server.stopped.await.unwrap(), Stopped::Cut(1));
    assert_eq!(client.read_to_end().await, "");
}

#[tokio::test]
async fn quitting_cuts_running_requests_at_once() {
    let (server, mut client, _finish) = busy(ServerConfig { grace: NEVER, ..patient() }).await;
    server.shutdown.drain();
    server.shutdown.quit();
    assert_eq!(server.stopped.await.unwrap(), Stopped::Cut(1));
    assert_eq!(client.read_to_end().await, "");
}

#[test]
fn the_defaults_are_those_that_are_documented() {
    let seconds = Duration::from_secs;
    let expected = ServerConfig {
        header_timeout: seconds(10),
        idle_timeout: seconds(60),
        write_stall: seconds(30),
        grace: seconds(30),
        compress: true,
        max_connections: None,
    };
    assert_eq!(ServerConfig::default(), expected);
}

#[tokio::test]
async fn an_answer_is_compressed_for_a_client_that_accepts_it() {
    let server = Server::start(app(async |invocation| Ok(text(&invocation, "a".repeat(2_000)))), patient()).await;
    for (accepted, is_compressed) in [("accept-encoding: gzip, br\r\n", true), ("", false)] {
        let mut client = server.connect().await;
        client.send(format!("GET /api/f HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{accepted}\r\n")).await;
        let mut answer = Vec::new();
        client.0.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.contains("content-encoding: gzip\r\n"), is_compressed, "{answer}");
        assert_eq!(answer.len() < 1_000, is_compressed, "{answer}");
        assert!(answer.contains("vary: accept-encoding\r\n"), "{answer}");
    }
}
