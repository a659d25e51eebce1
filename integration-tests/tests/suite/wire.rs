//! `wire.toml`: requests and responses, byte by byte over a socket, each with the rule that it tests.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use nebula_integration_tests::{Function, Guest, Nebula, Project, Server};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a test waits before it fails. Nothing normally takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

const TABLE: &str = include_str!("../../wire.toml");

/// The header fields that differ between runs. The table leaves them out.
const VARYING: [&str; 4] = ["date", "nebula-digest", "nebula-invocation-id", "server-timing"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The guests that the server serves.
    guests: Vec<String>,
    /// The rest of the server's `nebula.toml`.
    configuration: String,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The section that has the rule.
    rule: String,
    /// The rule, as a sentence.
    name: String,
    /// The bytes that the client sends. Each line ends with CRLF on the wire.
    send: String,
    /// Whether the client sends the text as it is written, without changing line ends.
    #[serde(default)]
    as_written: bool,
    /// The bytes that the client sends after an interim response.
    continue_with: Option<String>,
    /// All bytes until the server closes the connection, in lines too.
    receive: String,
}

#[test]
fn the_server_keeps_the_rule_of_each_row_of_the_table() {
    let table: Table = toml::from_str(TABLE).unwrap();
    assert!(table.row.len() >= 60, "{} rows", table.row.len());
    let (_project, server) = serve(&table.guests, &table.configuration);
    let mut wrong = String::new();
    for Row { rule, name, send, as_written, continue_with, receive } in &table.row {
        let send = if *as_written { send.clone() } else { with_crlf(send) };
        let received = exchange(server.address(), &send, continue_with.as_deref());
        let comparable = received.map(|received| comparable(&received)).unwrap_or_else(|error| error.to_string());
        if comparable != *receive {
            write!(wrong, "\n{rule}: {name}\n--- expected\n{receive}\n+++ received\n{comparable}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // Several rows have trailers that are not sent.
    let dropped = "trailers of an answer were dropped, because";
    server.wait_for_log(dropped);
    assert_eq!(server.log().matches(dropped).count(), 1);
}

/// Sends a POST with these trailers over HTTP/2, and returns the body and the trailers of the answer.
async fn exchange_trailers(server: &Server, path: &str, trailers: HeaderMap) -> (Vec<u8>, HeaderMap) {
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("http://a.example{path}")).body(()).unwrap();
    let (answer, mut upload) = requests.send_request(request, false).unwrap();
    upload.send_data(Bytes::from_static(b"\0\0\0\0\x05\n\x03Ada"), false).unwrap();
    upload.send_trailers(trailers).unwrap();
    let mut body = answer.await.unwrap().into_body();
    let mut received = Vec::new();
    while let Some(part) = body.data().await {
        received.extend(part.unwrap());
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    connection.abort();
    (received, trailers)
}

#[tokio::test]
async fn trailers_pass_in_both_directions_over_http2() {
    let (_project, server) = serve(&["http-echo", "http3-echo", "http-grpc"], "");
    let sums = HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"))]);
    for guest in ["http-echo", "http3-echo"] {
        let (body, trailers) = exchange_trailers(&server, &format!("/api/{guest}"), sums.clone()).await;
        assert_eq!((body.as_slice(), trailers), (&b"\0\0\0\0\x05\n\x03Ada"[..], sums.clone()), "{guest}");
    }
    let (body, trailers) = exchange_trailers(&server, "/api/http-grpc/SayHello", HeaderMap::new()).await;
    let ok = [(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))];
    assert_eq!((body.as_slice(), trailers), (&b"\0\0\0\0\x0d\n\x0bHello, Ada!"[..], HeaderMap::from_iter(ok)));
}

/// Sends a request with `fields`, and returns the forwarding fields that the handler at `path` sees.
fn forwarding_fields(server: &Server, path: &str, fields: &[(&str, &str)]) -> Value {
    let mut request = Request::get(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let response = server.send(request.body(()).unwrap());
    let request: Value = serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {response:?}"));
    let fields = request["headers"].as_array().unwrap().iter();
    let mut fields: Vec<_> = fields.filter(|field| field[0].as_str().unwrap().contains("forwarded")).collect();
    fields.sort_by_key(|field| field[0].to_string());
    fields.into_iter().map(|field| (field[0].as_str().unwrap().to_owned(), field[1].clone())).collect()
}

#[test]
fn forwarding_fields_of_a_trusted_proxy_are_kept_and_others_are_replaced_and_logged_once() {
    const SENT: [(&str, &str); 5] = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/app"),
        ("forwarded", "for=192.0.2.1"),
    ];
    let routes = "[[routes]]\npath = \"/at\"\nfunction = \"http-request\"\n";
    let (_project, trusting) =
        serve(&["http-request"], &format!("{routes}[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n"));
    for (path, prefix) in [("/at/a", "/app/at"), ("/api/http-request/a", "/app/api/http-request")] {
        let expected = json!({
            "forwarded": "for=192.0.2.1", "x-forwarded-for": "192.0.2.1, 127.0.0.1", "x-forwarded-host": "shop.example",
            "x-forwarded-prefix": prefix, "x-forwarded-proto": "https",
        });
        assert_eq!(forwarding_fields(&trusting, path, &SENT), expected);
    }
    assert!(!trusting.log().contains("trusted_proxies"));
    let (_project, server) = serve(&["http-request"], routes);
    for _ in 0..3 {
        let expected = json!({
            "x-forwarded-for": "127.0.0.1", "x-forwarded-host": server.address(), "x-forwarded-prefix": "/at",
            "x-forwarded-proto": "http",
        });
        assert_eq!(forwarding_fields(&server, "/at/a", &SENT), expected);
    }
    server.wait_for_log("to trust the sender, add \"127.0.0.1\" to trusted_proxies in [server]");
    assert_eq!(server.log().matches("trusted_proxies").count(), 1);
}

/// Starts a server with these guests. `configuration` is the end of its `nebula.toml`.
fn serve(guests: &[impl AsRef<str>], configuration: &str) -> (Project, Server) {
    let functions = guests.iter().map(AsRef::as_ref).map(|name| {
        let guest = Guest::named(name).unwrap_or_else(|| panic!("no guest {name}"));
        Function { name: name.to_owned(), source: guest.path, config: toml::Table::new(), files: [].into() }
    });
    let project = Project::new(&functions.collect::<Vec<_>>());
    let functions = std::fs::read_to_string(project.join("nebula.toml")).unwrap();
    project.write("nebula.toml", format!("{functions}\n{configuration}"));
    let server = Server::start(&Nebula::built(), &project, &[]).unwrap_or_else(|output| panic!("{output:#?}"));
    (project, server)
}

fn with_crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// Sends a request, and returns all bytes until the server closes the connection.
fn exchange(address: &str, send: &str, continue_with: Option<&str>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(send.as_bytes())?;
    let mut received = Vec::new();
    if let Some(rest) = continue_with {
        while !received.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            received.push(byte[0]);
        }
        stream.write_all(with_crlf(rest).as_bytes())?;
    }
    stream.read_to_end(&mut received)?;
    Ok(received)
}

/// The received bytes in the form of the table, without the varying fields.
fn comparable(received: &[u8]) -> String {
    let text = String::from_utf8_lossy(received);
    let lines = text.split("\r\n").filter(|line| !is_varying(line)).map(without_id).collect::<Vec<_>>();
    // RFC 9110, section 6.6.1. A response may begin on the last line of the body before it.
    let count = |part: &str| text.matches(part).count();
    let responses = count("HTTP/1.1 ") + count("HTTP/1.0 ") - count(" 100 Continue");
    assert_eq!(responses, count("\r\ndate: "), "each response has a date: {text}");
    lines.join("\n")
}

fn is_varying(line: &str) -> bool {
    VARYING.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(": ")))
}

/// The line without the id of the invocation.
fn without_id(line: &str) -> String {
    let fields = ["\"invocation_id\":\"", "\"NEBULA_INVOCATION_ID\":\""];
    let parts = fields.into_iter().find_map(|field| Some((field, line.split_once(field)?)));
    let Some((field, (before, rest))) = parts else { return line.to_owned() };
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}{field}…\"{after}")
}
