//! A guest's own HTTP requests: to the hosts that its configuration allows, and to no address behind them that is not
//! public.

mod link;

use std::{
    error::Error as StdError,
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _, TryFutureExt as _,
    future::{BoxFuture, Either, select},
};
use http::{HeaderMap, HeaderName, Uri, uri::Scheme};
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::capture_connection},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Sleep, sleep, timeout},
};
use tower::Service;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::{
    call::{Caller, TraceContext},
    function::{FunctionConfig, FunctionName, HostPattern, is_public},
};

pub(super) use self::link::{link_concurrent, link_plain};

/// Where a function's guests may send requests to. All instances share their connections.
#[derive(Clone)]
pub(super) struct Outgoing {
    shared: Arc<Shared>,
    /// The trace of the invocation that the instance serves.
    trace: TraceContext,
}

struct Shared {
    function: FunctionName,
    allowed: Arc<[HostPattern]>,
    /// Made for the first request: most functions send none.
    client: OnceLock<Result<Client<HttpsConnector<Guarded>, WasiBody>, rustls::Error>>,
}

/// A response, and what is left to do for it once it has begun: nothing, since connections have tasks of their own.
type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl Outgoing {
    /// Requests of the function `name`, to the hosts that its configuration allows.
    pub(super) fn set_up(name: &FunctionName, config: &FunctionConfig) -> Self {
        let (function, allowed) = (name.clone(), config.allow_hosts.as_slice().into());
        let shared = Arc::new(Shared { function, allowed, client: OnceLock::new() });
        Self { shared, trace: TraceContext::default() }
    }

    /// The same for an instance that serves `caller`.
    pub(super) fn give(&self, caller: &Caller) -> Self {
        Self { shared: Arc::clone(&self.shared), trace: caller.trace.clone() }
    }

    async fn send(self, mut request: http::Request<WasiBody>, options: Option<RequestOptions>) -> Sent {
        *request.uri_mut() = without_user(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
        let (host, port, is_default) = destination(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
        if !self.shared.allowed.iter().any(|pattern| pattern.matches(host, port, is_default)) {
            self.refuse(&if is_default { host.to_owned() } else { format!("{host}:{port}") });
            return Err(Error::HttpRequestDenied);
        }
        self.add_trace(request.headers_mut());
        let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout: between } =
            options.unwrap_or_default();
        let response = self.response(request, connect_timeout, first_byte_timeout).await?;
        let body = |body: hyper::body::Incoming| match between {
            Some(between) => Timely { body, between, waiting: None }.boxed_unsync(),
            None => body.map_err(Error::Hyper).boxed_unsync(),
        };
        Ok((response.map(body), Box::new(async { Ok(()) })))
    }

    /// Adds the invocation's trace, unless the guest has set one of its own.
    fn add_trace(&self, headers: &mut HeaderMap) {
        const PARENT: HeaderName = HeaderName::from_static("traceparent");
        const STATE: HeaderName = HeaderName::from_static("tracestate");

        let Some(parent) = self.trace.parent() else { return };
        if headers.contains_key(&PARENT) {
            return;
        }
        headers.insert(PARENT, parent.clone());
        if let Some(state) = self.trace.state() {
            headers.insert(STATE, state.clone());
        }
    }

    /// The head of the response, where the connection is there within `connect`, and the head within `first_byte` after
    /// that.
    async fn response(
        &self,
        mut request: http::Request<WasiBody>,
        connect: Option<Duration>,
        first_byte: Option<Duration>,
    ) -> Result<http::Response<hyper::body::Incoming>, Error> {
        let mut connection = capture_connection(&mut request);
        let mut sent = pin!(self.shared.client()?.request(request).map_err(|error| self.failure(error)));
        // One that is kept from an earlier request is there at once.
        let connected = pin!(async move { drop(connection.wait_for_connection_metadata().await) });
        match within(connect, select(sent.as_mut(), connected)).await.ok_or(Error::ConnectionTimeout)? {
            Either::Left((response, _)) => response,
            Either::Right(((), sent)) => within(first_byte, sent).await.ok_or(Error::ConnectionReadTimeout)?,
        }
    }

    /// What a request failed with, in the guest's terms.
    fn failure(&self, error: hyper_util::client::legacy::Error) -> Error {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(error) = cause {
            if let Some(Prohibited(address)) = error.downcast_ref() {
                self.refuse(&address.to_string());
                return Error::DestinationIpProhibited;
            }
            if error.downcast_ref::<rustls::Error>().is_some() {
                return Error::TlsCertificateError;
            }
            if let Some(error) = error.downcast_ref::<io::Error>()
                && let Some(error) = of_io(error)
            {
                return error;
            }
            // An I/O error shows what it wraps, and not that it wraps it.
            cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        if error.is_connect() { Error::DestinationUnavailable } else { Error::HttpProtocolError }
    }

    fn refuse(&self, host: &str) {
        let function = &self.shared.function;
        tracing::warn!(
            %function,
            "the function may not send requests to {host}; to allow it, add {host:?} to allow_hosts of [functions.{function}]"
        );
    }
}

/// The failures of a connection that the guest is told by name.
fn of_io(error: &io::Error) -> Option<Error> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Error::ConnectionRefused),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            Some(Error::ConnectionTerminated)
        }
        io::ErrorKind::TimedOut => Some(Error::ConnectionTimeout),
        io::ErrorKind::NotFound => Some(Error::DnsError { rcode: None, info_code: None }),
        _ => None,
    }
}

impl Shared {
    fn client(&self) -> Result<&Client<HttpsConnector<Guarded>, WasiBody>, Error> {
        let client = self.client.get_or_init(|| {
            let provider = rustls::crypto::ring::default_provider();
            let builder = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider)?;
            let guarded = Guarded(Arc::clone(&self.allowed));
            let connector = builder.https_or_http().enable_http1().wrap_connector(guarded);
            Ok(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
        });
        client.as_ref().map_err(|error: &rustls::Error| Error::InternalError(Some(error.to_string())))
    }
}

impl WasiHttpHooks for Outgoing {
    /// The same as without this, which allocates for each header that it is asked about.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        static FORBIDDEN: [HeaderName; 9] = DEFAULT_FORBIDDEN_HEADERS;
        FORBIDDEN.contains(name)
    }

    /// The client sets it, to the host and the port alone.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _received: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(self.clone().send(request, options))
    }
}

/// What `work` gives, if it does so within `limit`.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

/// The same without a user and a password, which are for no request to carry (RFC 9110, section 4.2.4).
fn without_user(uri: &Uri) -> Option<Uri> {
    let authority = uri.authority()?.as_str();
    let Some((_, host)) = authority.rsplit_once('@') else { return Some(uri.clone()) };
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(host.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The host, the port, and whether that is the scheme's own.
fn destination(uri: &Uri) -> Option<(&str, u16, bool)> {
    let default = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let port = uri.port_u16().unwrap_or(default);
    Some((uri.host()?, port, port == default))
}

/// Opens connections, to public addresses and to those that are allowed by name.
#[derive(Clone)]
struct Guarded(Arc<[HostPattern]>);

/// An address that is not public, and that nobody allowed.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a public address")]
struct Prohibited(SocketAddr);

impl Guarded {
    /// Connects to the first address of the host that may be reached and answers. Names are looked up here and nowhere
    /// else, so that what was checked is what is connected to.
    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let (host, port, is_default) = destination(&uri).ok_or(io::ErrorKind::InvalidInput)?;
        // An address of IPv6 stands in brackets in a URI.
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in lookup_host((name, port)).await.map_err(|_| io::ErrorKind::NotFound)? {
            let named = |pattern: &HostPattern| pattern.names_address(host, address.ip(), port, is_default);
            if !is_public(address.ip()) && !self.0.iter().any(named) {
                failure = io::Error::other(Prohibited(address));
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(TokioIo::new(stream));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Service<Uri> for Guarded {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.clone().connect(uri).boxed()
    }
}

/// A response's body that fails when nothing comes for as long as the guest said it would wait.
struct Timely {
    body: hyper::body::Incoming,
    between: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::Hyper)));
        }
        let between = self.between;
        let timer = self.waiting.get_or_insert_with(|| Box::pin(sleep(between)));
        timer.as_mut().poll(context).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }
}
