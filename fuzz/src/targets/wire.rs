//! Any bytes on a connection to a server.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown as End, SocketAddr, TcpStream},
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::HeaderValue;
use nebula_http::{Api, App, Listener, ServerConfig, Shutdown, Site, TrustedProxies, serve};
use nebula_runtime::{FunctionConfig, Invocation, Response, invoker_fn};
use tokio::net::TcpListener;

use crate::functions::Functions;

/// A function for the lists of the server. Calls are answered with their own bodies.
const LISTED: &str = r#"(module (func (export "listed")))"#;

/// The first bytes of a connection with HTTP/2 (RFC 9113, section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

/// The first bytes of a header of the PROXY protocol, in its two versions.
const PROXIED: [&[u8]; 2] = [b"PROXY", b"\r\n\r\n\0\r\nQUIT\n"];

/// How long a client waits for the server before it ends its side of the connection. A server that answers mostly needs
/// less.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a server has to end a connection after that.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server, at an address for clients and at one for proxies.
struct Server {
    _functions: Functions,
    address: SocketAddr,
    proxied: SocketAddr,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let functions = Functions::new([("listed", LISTED.into(), FunctionConfig::default())]);
    let echo = invoker_fn(async |invocation: Invocation| {
        let (input, _) = invocation.event.into_parts();
        Ok(Response::new(HeaderValue::from_static("text/plain"), input.into_body(), invocation.report))
    });
    let api = Api::new(Arc::new(echo)).with_trusted_proxies(proxies());
    let app: App = Site::new(api, Arc::clone(&functions.runtime) as _, Shutdown::new()).into();
    let listen = |wrap: fn(Listener) -> Listener| {
        functions.tokio.block_on(async {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = socket.local_addr().unwrap();
            tokio::spawn(serve(wrap(socket.into()), app.clone(), ServerConfig::default(), Shutdown::new()));
            address
        })
    };
    let (address, proxied) = (listen(|listener| listener), listen(|listener| listener.with_proxy_protocol(proxies())));
    Server { _functions: functions, address, proxied }
});

fn proxies() -> TrustedProxies {
    TrustedProxies::from_iter(["127.0.0.1".parse().unwrap()])
}

/// Whatever a client sends, the server answers in HTTP or not at all, ends the connection when the client has ended its
/// side, and serves the next client.
pub fn wire(input: &[u8]) {
    let is_proxied = PROXIED.iter().any(|beginning| input.starts_with(beginning));
    let answer = exchange(if is_proxied { SERVER.proxied } else { SERVER.address }, input, PAUSE);
    let is_http2 = input.windows(HTTP2.len()).any(|window| window == HTTP2);
    assert!(answer.is_empty() || is_http2 || answer.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&answer));
    // The server ends this connection itself. If the client ended its side, it would give its request up.
    let next = b"GET /healthz HTTP/1.1\r\nhost: tests\r\nconnection: close\r\n\r\n";
    let next = exchange(SERVER.address, next, PATIENCE);
    assert!(next.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&next));
}

/// Everything that the server sends to a client that sends these bytes, and ends its side of the connection after `pause`.
fn exchange(address: SocketAddr, bytes: &[u8], pause: Duration) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    // A server may refuse a request before it has read all of it.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    stream.set_read_timeout(Some(pause)).unwrap();
    if !read(&mut stream, &mut answer) {
        // The server may have ended the connection just now.
        drop(stream.shutdown(End::Write));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(read(&mut stream, &mut answer), "the server keeps a connection open that the client has ended");
    }
    answer
}

/// Reads to the end of the connection, and returns whether that came in time.
fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> bool {
    match stream.read_to_end(answer) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
        Err(error) => panic!("{error}"),
    }
}
