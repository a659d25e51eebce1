//! A server and a client for tests, connected by a socket.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use http::HeaderValue;
use nebula_http::{Api, ServerConfig, Shutdown, Stopped, serve};
use nebula_runtime::{Body, Invocation, InvokeError, Response, invoker_fn};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// Longer than any test runs.
pub(crate) const NEVER: Duration = Duration::from_secs(3_600);

/// Short enough for a test to wait.
pub(crate) const SOON: Duration = Duration::from_millis(50);

/// Settings whose time-outs never pass in a test. A test shortens the ones that it needs.
pub(crate) fn patient() -> ServerConfig {
    ServerConfig {
        header_timeout: NEVER,
        idle_timeout: NEVER,
        write_stall: NEVER,
        grace: NEVER,
        ..ServerConfig::default()
    }
}

/// A text answer to this invocation.
pub(crate) fn text(invocation: &Invocation, body: impl Into<Body>) -> Response {
    Response::new(HeaderValue::from_static("text/plain"), body, invocation.report.clone())
}

/// A router with this closure as all functions.
pub(crate) fn app<R>(function: impl Fn(Invocation) -> R + Send + Sync + 'static) -> Router
where
    R: Future<Output = Result<Response, InvokeError>> + Send + 'static,
{
    api(function).router()
}

/// The same, as an [`Api`] whose settings can be changed.
pub(crate) fn api<R>(function: impl Fn(Invocation) -> R + Send + Sync + 'static) -> Api
where
    R: Future<Output = Result<Response, InvokeError>> + Send + 'static,
{
    Api::new(Arc::new(invoker_fn(function)))
}

/// A router that answers `ok` to everything.
pub(crate) fn ok() -> Router {
    app(async |invocation| Ok(text(&invocation, "ok")))
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    pub(crate) stopped: JoinHandle<Stopped>,
}

impl Server {
    pub(crate) async fn start(app: Router, config: ServerConfig) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
        let stopped = tokio::spawn(serve(listener, app, config, shutdown.clone()));
        Self { address, shutdown, stopped }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }
}

/// One connection to a server.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    }

    /// Reads until `end` has arrived.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            read.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(read).unwrap()
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut read = String::new();
        self.0.read_to_string(&mut read).await.unwrap();
        read
    }
}

/// A value that reports when it is dropped.
pub(crate) struct Witness(mpsc::UnboundedSender<()>);

impl Drop for Witness {
    fn drop(&mut self) {
        // The receiver is gone when the test is over.
        let _ = self.0.send(());
    }
}

/// Makes witnesses, and receives an item for each that was dropped.
pub(crate) fn witnesses() -> (impl Fn() -> Witness + Clone + Send + Sync, mpsc::UnboundedReceiver<()>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (move || Witness(sender.clone()), receiver)
}
