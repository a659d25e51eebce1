//! Connections and datagrams of guests, and servers and guests that misuse them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, UdpSocket},
    path::PathBuf,
    thread,
};

use nebula_integration_tests::Project;

#[cfg(target_os = "linux")]
use crate::faults::support::eventually;
use crate::faults::support::{Client, Server, project};

/// What a server does with its connections.
#[derive(Clone, Copy)]
enum Peer {
    /// It answers each line.
    Answers,
    /// It keeps them, reads nothing and says nothing.
    IsSilent,
}

/// Starts a server, and returns its port.
fn peer(peer: Peer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            match peer {
                Peer::IsSilent => silent.push(connection),
                Peer::Answers => {
                    let mut line = String::new();
                    BufReader::new(connection.try_clone().unwrap()).read_line(&mut line).unwrap();
                    // A guest may leave without a word.
                    let _ = connection.write_all(format!("you said {line}").as_bytes());
                }
            }
        }
    });
    port
}

/// The guests of both versions of `wasi:sockets`, with a grant.
fn guests(connect: &str, timeout: &str) -> Project {
    let builds = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guests/build");
    let function = |name: &str| {
        let source = fs::canonicalize(builds.join(name).with_extension("wasm")).unwrap();
        format!("[functions.{name}]\nsource = {source:?}\nconnect = [{connect:?}]\ntimeout = {timeout:?}\n")
    };
    project(&format!("{}{}[functions.treats]\nsource = \"@treats\"\n", function("sockets"), function("sockets3")))
}

#[test]
fn a_guest_talks_to_a_server_that_it_is_granted() {
    let port = peer(Peer::Answers);
    let project = guests(&format!("127.0.0.1:{port}"), "30s");
    let server = Server::start(&project);
    for guest in ["sockets", "sockets3"] {
        let answer = server.get(&format!("/api/{guest}:exchange/127.0.0.1/{port}/hello"));
        assert_eq!(answer.summary(), (200, "\"you said hello\"".to_owned()), "{guest}");
    }
}

#[test]
fn a_guest_exchanges_datagrams_with_a_server_that_it_is_granted() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    thread::spawn(move || {
        let mut datagram = [0; 64];
        while let Ok((length, from)) = socket.recv_from(&mut datagram) {
            // The guest does not see what a stranger sends.
            stranger.send_to(b"a lie", from).unwrap();
            socket.send_to(&[b"you said ", &datagram[..length]].concat(), from).unwrap();
        }
    });
    let project = guests(&format!("udp://127.0.0.1:{port}"), "30s");
    let server = Server::start(&project);
    for guest in ["sockets", "sockets3"] {
        let answer = server.get(&format!("/api/{guest}:ask/127.0.0.1/{port}/hello"));
        assert_eq!(answer.summary(), (200, "\"you said hello\"".to_owned()), "{guest}");
    }
}

#[test]
fn a_server_that_never_answers_or_reads_is_the_timeout_of_its_guest_and_of_no_other() {
    let port = peer(Peer::IsSilent);
    let project = guests(&format!("127.0.0.1:{port}"), "300ms");
    let server = Server::start(&project);
    let calls = ["sockets:exchange", "sockets3:exchange", "sockets:flood"];
    let mut clients: Vec<Client> =
        calls.map(|call| server.connect_and_get(&format!("/api/{call}/127.0.0.1/{port}{}", end_of(call)))).into();
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
    for client in &mut clients {
        assert_eq!(client.response().unwrap().failure(), (504, "timeout".to_owned()));
    }
    #[cfg(target_os = "linux")]
    eventually("the end of all connections", || (server.connections_to(port) == 0).then_some(()));
}

fn end_of(call: &str) -> &'static str {
    if call.ends_with("exchange") { "/hello" } else { "" }
}

#[test]
#[cfg(target_os = "linux")]
fn a_guest_has_a_bounded_number_of_connections_and_they_are_closed_when_it_ends() {
    let port = peer(Peer::IsSilent);
    let project = guests(&format!("127.0.0.1:{port}"), "30s");
    let server = Server::start(&project);
    let call = |call: &str| server.get(&format!("/api/{call}/127.0.0.1/{port}/200")).summary();
    let cases = [
        // Dropping a handle gives its place back.
        ("sockets3:reconnect", "\"200 connections\""),
        ("sockets:hoard", "\"64 connections, then: new-socket-limit\""),
        ("sockets3:hoard", "\"64 connections, then: too many sockets are open\""),
        ("sockets3:hoard-streams", "\"64 connections, then: too many sockets are open\""),
    ];
    for (function, expected) in cases {
        assert_eq!(call(function), (200, expected.to_owned()), "{function}");
    }
    eventually("the end of all connections", || (server.connections_to(port) == 0).then_some(()));
}

#[test]
fn all_guests_together_leave_descriptors_to_the_process() {
    let port = peer(Peer::IsSilent);
    let project = guests(&format!("127.0.0.1:{port}"), "30s");
    let server = Server::start_with_descriptors(&project, 128);
    let hoard = || server.get(&format!("/api/sockets:hoard/127.0.0.1/{port}/200")).summary().1;
    assert_eq!([hoard(), hoard()], ["\"32 connections, then: new-socket-limit\""; 2].map(str::to_owned));
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
}
