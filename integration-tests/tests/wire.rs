//! `wire.toml`: what the server answers to what a client sends, byte by byte over a socket, beside the rule that asks for it.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use nebula_integration_tests::{Function, Guest, Nebula, Project, Server};
use serde::Deserialize;

/// How long a row may take before it fails: much longer than it ever does.
const PATIENCE: Duration = Duration::from_secs(60);

const TABLE: &str = include_str!("../wire.toml");

/// What no table can know: when an answer was given, to which invocation, and how long it took. That these fields are
/// there is checked for all rows alike.
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
    /// What the client sends, in lines that end with CRLF on the wire.
    send: String,
    /// The client sends as it is written: for line ends of other kinds.
    #[serde(default)]
    as_written: bool,
    /// What the client sends once an interim answer has come.
    continue_with: Option<String>,
    /// All that comes until the server ends the connection, in lines as well.
    receive: String,
}

#[test]
fn the_server_answers_each_row_of_the_table_as_its_rule_has_it() {
    let table: Table = toml::from_str(TABLE).unwrap();
    assert!(table.row.len() >= 60, "{} rows", table.row.len());
    let (_project, server) = serve(&table);
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

/// A server of the table's guests, and its folder.
fn serve(table: &Table) -> (Project, Server) {
    let functions = table.guests.iter().map(|name| {
        let guest = Guest::named(name).unwrap_or_else(|| panic!("no guest {name}"));
        Function { name: name.clone(), source: guest.path, config: toml::Table::new(), files: [].into() }
    });
    let project = Project::new(&functions.collect::<Vec<_>>());
    let functions = std::fs::read_to_string(project.join("nebula.toml")).unwrap();
    project.write("nebula.toml", format!("{functions}\n{}", table.configuration));
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

/// What came, as the table has it: without what varies.
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
