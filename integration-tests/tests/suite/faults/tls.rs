//! TLS of the public address: the versions of HTTP, the scheme that functions see, and clients that do not shake hands.

use std::{net::TcpStream, sync::Arc};

use h2::client;
use nebula_integration_tests::{Guest, Project};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio_rustls::TlsConnector;

use crate::faults::support::{
    Server, eventually,
    tls::{get, issue, trusting},
};

/// A project with a certificate, and a handler that describes the request that it sees.
fn project() -> Project {
    let project = Project::new([]);
    let source = Guest::named("http-request").unwrap().path;
    let tls = "[server]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
    project.write("nebula.toml", format!("{tls}[functions.seen]\nsource = {source:?}\n"));
    issue(&project, "cert.pem", "key.pem", 30);
    project
}

/// The version of the answer to a client that offers these protocols, and the request that the function has seen.
async fn seen(server: &Server, project: &Project, protocols: &[&str]) -> (http::Version, Value) {
    let config = trusting(&project.join("cert.pem"), protocols).unwrap();
    let socket = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut requests, connection) = client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = http::Request::get("https://shop.test/api/seen/a?b").body(()).unwrap();
    let answer = requests.send_request(request, true).unwrap().0.await.unwrap();
    let version = answer.version();
    let mut body = answer.into_body();
    let mut json = Vec::new();
    while let Some(part) = body.data().await {
        json.extend(part.unwrap());
    }
    connection.abort();
    (version, serde_json::from_slice(&json).unwrap())
}

/// The scheme, the host, and the forwarding fields of a request.
fn summary(request: &Value) -> (String, String, Vec<String>) {
    let fields = request["headers"].as_array().unwrap().iter();
    let fields = fields.filter(|field| field[0].as_str().unwrap().starts_with("x-forwarded-"));
    let mut fields: Vec<_> = fields.map(|field| field[1].as_str().unwrap().to_owned()).collect();
    fields.sort();
    (request["scheme"].as_str().unwrap().to_owned(), request["authority"].as_str().unwrap().to_owned(), fields)
}

#[test]
fn a_function_sees_https_whichever_version_the_client_chooses() {
    let project = project();
    let server = Server::start(&project);
    assert!(server.log().contains("listening on https://127.0.0.1:"), "{}", server.log());
    let expected = |host: &str| {
        let fields = ["/api/seen", "127.0.0.1", "https", host].map(str::to_owned);
        ("https".to_owned(), host.to_owned(), fields.into())
    };
    let answer = get(server.address(), &project.join("cert.pem"), "/api/seen/a").unwrap();
    let (head, json) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!(summary(&serde_json::from_str(json).unwrap()), expected("test"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for protocols in [&["h2"][..], &["http/1.1", "h2"]] {
        let (version, request) = runtime.block_on(seen(&server, &project, protocols));
        assert_eq!((version, summary(&request)), (http::Version::HTTP_2, expected("shop.test")));
    }
}

#[test]
fn clients_that_do_not_shake_hands_keep_no_other_waiting() {
    let project = project();
    let server = Server::start(&project);
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    let mut plain = server.connect_and_get("/healthz");
    assert!(!plain.read_to_end().starts_with(b"HTTP/"), "there is no answer without TLS");
    let answer = get(server.address(), &project.join("cert.pem"), "/healthz").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    drop(silent);
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let project = project();
    let server = Server::start(&project);
    std::fs::copy(project.join("cert.pem"), project.join("old.pem")).unwrap();
    assert!(get(server.address(), &project.join("cert.pem"), "/healthz").is_ok());
    issue(&project, "cert.pem", "key.pem", 30);
    assert!(get(server.address(), &project.join("cert.pem"), "/healthz").is_ok());
    assert!(get(server.address(), &project.join("old.pem"), "/healthz").is_err());
    let replaced = "the certificate was replaced";
    eventually(replaced, || server.log().contains(replaced).then_some(()));
}
