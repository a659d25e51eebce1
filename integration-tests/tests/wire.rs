//! `wire.toml`: requests and answers, byte by byte over a socket, beside the rule that asks for each.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use http::Request;
use nebula_integration_tests::{Function, Guest, Nebula, Project, Server};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long a row may take before it fails: much longer than it ever does.
const PATIENCE: Duration = Duration::from_secs(60);

const TABLE: &str = include_str!("../wire.toml");

/// The fields that differ from run to run. No row has them.
const VARYING: [&str; 4] = ["date", "nebula-digest", "nebula-invocation-id", "server-timing"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The guests whose functions the server has.
    guests: Vec<String>,
    /// The rest of its `nebula.toml`.
    configuration: String,
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// Where the rule stands.
    rule: String,
    /// The rule, in a sentence.
    name: String,
    /// The client's bytes, in lines that end with CRLF on the wire.
    send: String,
    /// The client sends as it is written: for line ends of other kinds.
    #[serde(default)]
    as_written: bool,
    /// The client's bytes after an interim answer.
    continue_with: Option<String>,
    /// All that comes until the server ends the connection, in lines as well.
    receive: String,
}

#[test]
fn the_server_answers_each_row_of_the_table_as_its_rule_has_it() {
    let table: Table = toml::from_str(TABLE).unwrap();
    assert!(table.row.len() >= 60, "{} rows", table.row.len());
    let (_project, server) = serve(&table.guests, &table.configuration);
    let mut wrong = String::new();
    for Row { rule, name, send, as_written, continue_with, receive } in &table.row {
        let send = if *as_written { send.clone() } else { on_the_wire(send) };
        let received = exchange(server.address(), &send, continue_with.as_deref());
        let comparable = received.map(|received| comparable(&received)).unwrap_or_else(|error| error.to_string());
        if comparable != *receive {
            write!(wrong, "\n{rule}: {name}\n--- expected\n{receive}\n+++ received\n{comparable}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The fields in which the handler at `path` is told where a request came from.
fn way(server: &Server, path: &str, fields: &[(&str, &str)]) -> Value {
    let mut request = Request::get(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let answered = server.send(request.body(()).unwrap());
    let seen: Value = serde_json::from_slice(&answered.body).unwrap_or_else(|error| panic!("{error}: {answered:?}"));
    let fields = seen["headers"].as_array().unwrap().iter();
    let mut fields: Vec<_> = fields.filter(|field| field[0].as_str().unwrap().contains("forwarded")).collect();
    fields.sort_by_key(|field| field[0].to_string());
    fields.into_iter().map(|field| (field[0].as_str().unwrap().to_owned(), field[1].clone())).collect()
}

#[test]
fn a_proxy_says_where_a_request_came_from_where_it_is_trusted_and_else_the_log_says_that_it_is_not() {
    const SAID: [(&str, &str); 5] = [
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
        assert_eq!(way(&trusting, path, &SAID), expected);
    }
    assert!(!trusting.log().contains("trusted_proxies"));
    let (_project, server) = serve(&["http-request"], routes);
    for _ in 0..3 {
        let expected = json!({
            "x-forwarded-for": "127.0.0.1", "x-forwarded-host": server.address(), "x-forwarded-prefix": "/at",
            "x-forwarded-proto": "http",
        });
        assert_eq!(way(&server, "/at/a", &SAID), expected);
    }
    server.wait_for_log("to trust the sender, add \"127.0.0.1\" to trusted_proxies in [server]");
    assert_eq!(server.log().matches("trusted_proxies").count(), 1);
}

/// A server of these guests, with more of its `nebula.toml`; and its folder.
fn serve(guests: &[impl AsRef<str>], configuration: &str) -> (Project, Server) {
    let functions = guests.iter().map(AsRef::as_ref).map(|name| {
        let guest = Guest::named(name).unwrap_or_else(|| panic!("no guest {name}"));
        Function { name: name.to_owned(), source: guest.path, config: toml::Table::new(), files: [].into() }
    });
    let project = Project::new(&functions.collect::<Vec<_>>());
    let functions = std::fs::read_to_string(project.join("nebula.toml")).unwrap();
    project.write("nebula.toml", format!("{functions}\n{configuration}"));
    let server = Server::start(&Nebula::built(), &project, &[]).unwrap_or_else(|ran| panic!("{ran:#?}"));
    (project, server)
}

fn on_the_wire(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// All that the server sends until it ends the connection.
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
        stream.write_all(on_the_wire(rest).as_bytes())?;
    }
    stream.read_to_end(&mut received)?;
    Ok(received)
}

/// The received bytes as the table has them: without the fields that vary.
fn comparable(received: &[u8]) -> String {
    let text = String::from_utf8_lossy(received);
    let lines = text.split("\r\n").filter(|line| !is_varying(line)).map(without_id).collect::<Vec<_>>();
    // RFC 9110, section 6.6.1. An answer may follow a body in its last line.
    let count = |part: &str| text.matches(part).count();
    let answers = count("HTTP/1.1 ") + count("HTTP/1.0 ") - count(" 100 Continue");
    assert_eq!(answers, count("\r\ndate: "), "each answer has a date: {text}");
    lines.join("\n")
}

fn is_varying(line: &str) -> bool {
    VARYING.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(": ")))
}

/// A body without its invocation's id.
fn without_id(line: &str) -> String {
    let fields = ["\"invocation_id\":\"", "\"NEBULA_INVOCATION_ID\":\""];
    let parts = fields.into_iter().find_map(|field| Some((field, line.split_once(field)?)));
    let Some((field, (before, rest))) = parts else { return line.to_owned() };
    let (_, after) = rest.split_once('"').unwrap();
    format!("{before}{field}…\"{after}")
}
