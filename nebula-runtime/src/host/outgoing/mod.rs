//! Outgoing HTTP: the requests that guests send. A guest reaches the hosts that its function's configuration allows. A
//! host's address must be public, unless the configuration names it.

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
use http::{HeaderName, Uri, uri::Scheme};
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
    call::{Caller, OpenSpan, SpanKind, TraceContext},
    function::{FunctionConfig, FunctionName, HostPattern, is_public},
};

pub(super) use self::link::{link_concurrent, link_plain};

/// Sends the requests of a function's guests. All instances share their connections.
#[derive(Clone)]
pub(super) struct Outgoing {
    shared: Arc<Shared>,
    /// The trace of the invocation that the instance serves.
    trace: TraceContext,
}

struct Shared {
    function: FunctionName,
    allowed: Arc<[HostPattern]>,
    /// Made at the first request, because most functions send none.
    client: OnceLock<Result<Client<HttpsConnector<GuardedConnector>, WasiBody>, rustls::Error>>,
}

/// A response, and a future that works on it after it has begun. That future does nothing, because connections have
/// tasks of their own.
type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl Outgoing {
    /// Sets up requests of the function `name` to the hosts that its configuration allows.
    pub(super) fn set_up(name: &FunctionName, config: &FunctionConfig) -> Self {
        let (function, allowed) = (name.clone(), config.allow_hosts.as_slice().into());
        let shared = Arc::new(Shared { function, allowed, client: OnceLock::new() });
        Self { shared, trace: TraceContext::default() }
    }

    /// The service for an instance that serves `caller`.
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
        let span = self.span(&request, host, port);
        let trace = span.as_ref().map_or_else(|| self.trace.clone(), TraceContext::within);
        trace.add_to(request.headers_mut(), &self.trace);
        let RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout: between } =
            options.unwrap_or_default();
        let response = self.response(request, connect_timeout, first_byte_timeout).await;
        end_span(span, &response);
        let response = response?;
        let body = |body: hyper::body::Incoming| match between {
            Some(between) => BodyWithTimeout { body, between, timer: None }.boxed_unsync(),
            None => body.map_err(Error::Hyper).boxed_unsync(),
        };
        Ok((response.map(body), Box::new(async { Ok(()) })))
    }

    /// A span of the request, if the invocation's spans are recorded. It ends with the head of the response.
    fn span(&self, request: &http::Request<WasiBody>, host: &str, port: u16) -> Option<OpenSpan> {
        let mut span = self.trace.begin(SpanKind::Client, || request.method().to_string().into())?;
        let uri = request.uri();
        span.note("http.request.method", request.method().to_string());
        span.note("server.address", host.to_owned());
        span.note("server.port", port);
        // Without the query, which may have secrets.
        span.note("url.full", format!("{}://{host}:{port}{}", uri.scheme_str().unwrap_or("https"), uri.path()));
        Some(span)
    }

    /// Sends a request and waits for the head of the response. The connection must be made within `connect`, and the
    /// head must come within `first_byte` after that.
    async fn response(
        &self,
        mut request: http::Request<WasiBody>,
        connect: Option<Duration>,
        first_byte: Option<Duration>,
    ) -> Result<http::Response<hyper::body::Incoming>, Error> {
        let mut connection = capture_connection(&mut request);
        let mut sent = pin!(self.shared.client()?.request(request).map_err(|error| self.failure(error)));
        // A connection that is kept from an earlier request is ready at once.
        let connected = pin!(async move { drop(connection.wait_for_connection_metadata().await) });
        match within(connect, select(sent.as_mut(), connected)).await.ok_or(Error::ConnectionTimeout)? {
            Either::Left((response, _)) => response,
            Either::Right(((), sent)) => within(first_byte, sent).await.ok_or(Error::ConnectionReadTimeout)?,
        }
    }

    /// The error that the guest gets for a failed request.
    fn failure(&self, error: hyper_util::client::legacy::Error) -> Error {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(error) = cause {
            if let Some(ProhibitedAddress(address)) = error.downcast_ref() {
                self.refuse(&address.to_string());
                return Error::DestinationIpProhibited;
            }
            if error.downcast_ref::<rustls::Error>().is_some() {
                return Error::TlsCertificateError;
            }
            if let Some(error) = error.downcast_ref::<io::Error>()
                && let Some(error) = from_io(error)
            {
                return error;
            }
            // `source` of an I/O error skips the error that it wraps, so the loop visits the wrapped error itself.
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

/// Ends the span of a request.
fn end_span(span: Option<OpenSpan>, response: &Result<http::Response<hyper::body::Incoming>, Error>) {
    let Some(mut span) = span else { return };
    match response {
        Ok(response) => {
            let status = response.status();
            span.note("http.response.status_code", status.as_u16());
            span.end((status.is_client_error() || status.is_server_error()).then(|| status.as_str().to_owned()));
        }
        Err(error) => {
            let error = format!("{error:?}");
            span.note("error.type", error.clone());
            span.end(Some(error));
        }
    }
}

/// The error that the guest gets for an I/O error, if there is one that fits.
fn from_io(error: &io::Error) -> Option<Error> {
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
    fn client(&self) -> Result<&Client<HttpsConnector<GuardedConnector>, WasiBody>, Error> {
        let client = self.client.get_or_init(|| {
            let provider = rustls::crypto::ring::default_provider();
            let builder = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider)?;
            let connector = GuardedConnector(Arc::clone(&self.allowed));
            let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
            Ok(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
        });
        client.as_ref().map_err(|error: &rustls::Error| Error::InternalError(Some(error.to_string())))
    }
}

impl WasiHttpHooks for Outgoing {
    /// Does the same as the default method, which allocates for each header name.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        static FORBIDDEN: [HeaderName; 9] = DEFAULT_FORBIDDEN_HEADERS;
        FORBIDDEN.contains(name)
    }

    /// Wasmtime need not set the field, because the HTTP client sets it, without a user or a password.
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

/// The output of `future`, or `None` if it is not ready within `limit`.
async fn within<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}

/// The URI without a user and a password, which a request must not carry (RFC 9110, section 4.2.4).
fn without_user(uri: &Uri) -> Option<Uri> {
    let authority = uri.authority()?.as_str();
    let Some((_, host)) = authority.rsplit_once('@') else { return Some(uri.clone()) };
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(host.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// The host, the port, and whether the port is the default port of the scheme.
fn destination(uri: &Uri) -> Option<(&str, u16, bool)> {
    let default = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let port = uri.port_u16().unwrap_or(default);
    Some((uri.host()?, port, port == default))
}

/// Opens connections to public addresses, and to other addresses that the configuration names.
#[derive(Clone)]
struct GuardedConnector(Arc<[HostPattern]>);

/// An address that is not public and that the configuration does not name.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a public address")]
struct ProhibitedAddress(SocketAddr);

impl GuardedConnector {
    /// Connects to the first address of the host that is allowed and accepts the connection. The name is looked up only
    /// here, so that the address that was checked is the one that is connected to.
    async fn connect(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let (host, port, is_default) = destination(&uri).ok_or(io::ErrorKind::InvalidInput)?;
        // A URI has brackets around an IPv6 address.
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in lookup_host((name, port)).await.map_err(|_| io::ErrorKind::NotFound)? {
            let named = |pattern: &HostPattern| pattern.names_address(host, address.ip(), port, is_default);
            if !is_public(address.ip()) && !self.0.iter().any(named) {
                failure = io::Error::other(ProhibitedAddress(address));
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

impl Service<Uri> for GuardedConnector {
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

/// A response's body that fails when no bytes come for the time `between`.
struct BodyWithTimeout {
    body: hyper::body::Incoming,
    between: Duration,
    /// Made when the body is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for BodyWithTimeout {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::Hyper)));
        }
        let between = self.between;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(between)));
        timer.as_mut().poll(context).map(|()| Some(Err(Error::ConnectionReadTimeout)))
    }
}
