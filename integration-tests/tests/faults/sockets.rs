//! Connections that guests make, and servers that do not answer.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::PathBuf,
    thread,
};

use nebula_integration_tests::Nebula;

use crate::support::project;

/// A server that answers each line with the line, or accepts and says nothing.
fn server(answers: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            if !answers {
                silent.push(connection);
                continue;
            }
            let mut line = String::new();
            BufReader::new(connection.try_clone().unwrap()).read_line(&mut line).unwrap();
            connection.write_all(format!("you said {line}").as_bytes()).unwrap();
        }
    });
    port
}

/// What the guest `sockets` says when it sends a line to this port.
fn exchange(port: u16, timeout: &str) -> (i32, String) {
    let guest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guests/build/sockets.wasm");
    let guest = fs::canonicalize(guest).unwrap();
    let project = project(&format!(
        "[functions.sockets]\nsource = {guest:?}\nconnect = [\"127.0.0.1:{port}\"]\ntimeout = {timeout:?}\n"
    ));
    let nebula = Nebula::built();
    let publish = ["publish", "sockets", guest.to_str().unwrap(), "--config", "nebula.toml"];
    let _ = nebula.run(&project, &publish, b"").expect_success();
    let ran = nebula.run(&project, &["run", "sockets:exchange", "127.0.0.1", &port.to_string(), "hello"], b"");
    (ran.exit_code, String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[test]
fn a_guest_talks_to_a_server_that_it_is_granted() {
    assert_eq!(exchange(server(true), "30s"), (0, "\"you said hello\"\n".to_owned()));
}

#[test]
fn a_server_that_never_answers_is_the_timeout_of_its_guest() {
    let (code, _) = exchange(server(false), "200ms");
    assert_eq!(code, 124);
}
