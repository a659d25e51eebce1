//! The proxy before the server.

use std::{
    convert::Infallible,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header, uri::Authority};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{sync::Mutex, time::sleep};

use super::state::{Fault, Request, State};

type Answer = http::Response<Full<Bytes>>;

/// Starts the proxy, on a thread that ends with the process. A connection to a server that is gone fails.
pub(crate) fn start(server: SocketAddr, state: Arc<State>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a socket that does not block");
    let address = listener.local_addr().expect("an address");
    let client = Client::builder(TokioExecutor::new()).build_http();
    let authority = server.to_string().parse().expect("an address is an authority");
    let proxy =
        Arc::new(Proxy { server: authority, client, turn: Mutex::default(), count: AtomicUsize::new(0), state });
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(serve(listener, proxy))
    });
    address
}

async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let proxy = Arc::clone(&proxy);
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&proxy);
            async move { proxy.answer(request).await }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

struct Proxy {
    server: Authority,
    client: Client<HttpConnector, Full<Bytes>>,
    /// Writers take turns: the server itself looks at a condition, and then writes.
    turn: Mutex<()>,
    count: AtomicUsize,
    state: Arc<State>,
}

impl Proxy {
    /// Answers as the server does, or breaks the answer. An error ends the connection.
    async fn answer(&self, request: http::Request<Incoming>) -> io::Result<Answer> {
        let mut faults = self.state.fault.subscribe();
        // It is never closed.
        let fault = faults.wait_for(|fault| *fault != Fault::Hangs).await.map_or(Fault::None, |fault| *fault);
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let trace = request.headers().get("traceparent").and_then(|trace| trace.to_str().ok()).map(str::to_owned);
        let is_second = self.count.fetch_add(1, Relaxed) % 2 == 1;
        let answer = match fault {
            Fault::Away => return Err(io::ErrorKind::ConnectionReset.into()),
            Fault::Refuses => refusal(),
            Fault::Stumbles if is_second => {
                drop(self.forward(request).await);
                told(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "We encountered an internal error.")
            }
            Fault::Late(time) => {
                sleep(time).await;
                self.forward(request).await?
            }
            _ => self.forward(request).await?,
        };
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(never)?.to_bytes();
        self.state.requests().push(Request { method, path, trace, status: head.status.as_u16(), sent: body.len() });
        if fault == Fault::Tears && is_second && !body.is_empty() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(http::Response::from_parts(head, Full::new(body)))
    }

    async fn forward(&self, request: http::Request<Incoming>) -> io::Result<Answer> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let mut uri = head.uri.into_parts();
        (uri.scheme, uri.authority) = (Some(http::uri::Scheme::HTTP), Some(self.server.clone()));
        head.uri = http::Uri::from_parts(uri).map_err(io::Error::other)?;
        let is_read = [Method::GET, Method::HEAD].contains(&head.method);
        let _turn = if is_read { None } else { Some(self.turn.lock().await) };
        let sent = self.client.request(http::Request::from_parts(head, Full::new(body))).await;
        let (mut head, body) = sent.map_err(io::Error::other)?.into_parts();
        // The connection to the client is another one.
        head.headers.remove(header::CONNECTION);
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        Ok(http::Response::from_parts(head, Full::new(body)))
    }
}

fn refusal() -> Answer {
    let message = "The AWS Access Key Id you provided does not exist in our records.";
    told(StatusCode::FORBIDDEN, "InvalidAccessKeyId", message)
}

/// An error as S3 tells it.
fn told(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut answer = http::Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer
}

fn never(never: Infallible) -> io::Error {
    match never {}
}

/// Sends a request without a body; gives the answer as it comes. `request` is a method and a path, and `fields` are lines of
/// the head.
pub(crate) fn send(server: SocketAddr, request: &str, fields: &str) -> String {
    let mut answer = String::new();
    let mut stream = TcpStream::connect(server).expect("the server listens");
    // It finds the service by the scope of the credentials.
    let credentials =
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let head = format!("{request} HTTP/1.1\r\nhost: {server}\r\nauthorization: {credentials}\r\n");
    let end = format!("{fields}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(format!("{head}{end}").as_bytes()).expect("it reads the request");
    stream.read_to_string(&mut answer).expect("it answers in text");
    answer
}
