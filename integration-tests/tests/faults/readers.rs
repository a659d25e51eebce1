//! Clients that do not read what they asked for, and guests that go on after it.

use nebula_integration_tests::{Guest, Project};

use crate::support::{Answer, Client, Server, eventually, project};

/// A server with so many places, and these guests with their keys in `nebula.toml`.
fn functions(concurrency: usize, guests: &[(&str, &str)]) -> Project {
    let entry = |(guest, keys): &(&str, &str)| {
        let source = Guest::named(guest).unwrap().path;
        format!("[functions.{guest}]\nsource = {source:?}\n{keys}\n")
    };
    let entries: String = guests.iter().map(entry).collect();
    project(&format!("[server]\nconcurrency = {concurrency}\n{entries}"))
}

/// Waits until the server says that this many of its invocations ended so.
fn wait_for_outcome(server: &Server, function: &str, outcome: &str, count: usize) {
    let sample = format!("nebula_invocations_total{{function=\"{function}\",outcome=\"{outcome}\"}} {count}");
    eventually(&sample, || server.get("/metrics").summary().1.lines().any(|line| line == sample).then_some(()));
}

/// What a client gets that reads on until the connection ends.
fn is_broken_off(client: &mut Client) -> bool {
    let rest = client.rest();
    rest.starts_with(b"HTTP/1.1 200 OK\r\n") && !rest.ends_with(b"\r\n0\r\n\r\n")
}

fn assert_served(answer: &Answer) {
    assert_eq!(answer.summary(), (200, "10".to_owned()));
}

/// Takes more than any buffer between a guest and a client that does not read.
const FLOOD: &str = "timeout = \"400ms\"\nmax_response = \"1GiB\"";

#[test]
fn a_slow_reader_whose_place_was_needed_sees_its_response_break_off_and_the_log_says_why() {
    // The place may be one of the server's or of the function's own.
    for (concurrency, keys) in [(1, ""), (2, "concurrency = 1\n")] {
        let project = functions(concurrency, &[("stdout-flood", &format!("{keys}{FLOOD}"))]);
        let server = Server::start(&project);
        let mut first = server.connect_and_get("/api/stdout-flood");
        server.wait_for_in_flight(1);
        let mut second = server.connect_and_get("/api/stdout-flood");
        assert!(is_broken_off(&mut first));
        wait_for_outcome(&server, "stdout-flood", "timeout", 1);
        let why = "past its timeout, waiting for its reader, and another call needed its place";
        eventually(why, || server.log().contains(why).then_some(()));
        assert_eq!(second.line().unwrap(), "HTTP/1.1 200 OK");
    }
}

#[test]
fn a_slow_reader_keeps_its_place_and_gets_everything_while_nobody_needs_that() {
    let project = functions(2, &[("stdout-flood", "timeout = \"400ms\"\nmax_response = \"16MiB\""), ("sleep", "")]);
    let server = Server::start(&project);
    let mut slow = server.connect_and_get("/api/stdout-flood");
    server.wait_for_in_flight(1);
    // Meanwhile its timeout passes: this takes longer.
    assert_eq!(server.get("/api/sleep/500").status, 200);
    assert_eq!(server.in_flight(), 1);
    // It ends by its own limit, and not by its time.
    assert!(slow.rest().len() > 16 << 20);
    wait_for_outcome(&server, "stdout-flood", "limit_exceeded", 1);
}

/// Guests that go on after their response, and how their instances are used again.
const GOING_ON: [(&str, &str); 3] = [("http-after", ""), ("http3-trap", ""), ("http3-trap", "reuse = {}\n")];

#[test]
fn guests_that_go_on_after_their_response_keep_their_places() {
    for (guest, reuse) in GOING_ON {
        let project = functions(2, &[(guest, &format!("{reuse}timeout = \"10m\"")), ("treats", "")]);
        let server = Server::start(&project);
        for _ in 0..2 {
            let answer = server.get(&format!("/api/{guest}/after?ms=600000"));
            assert_eq!(answer.summary(), (200, "answered".to_owned()));
        }
        assert_eq!(server.in_flight(), 2, "{guest} {reuse}");
        let refused = server.get("/api/treats/10");
        assert_eq!(refused.failure(), (503, "overloaded".to_owned()), "{guest} {reuse}");
        assert_eq!(refused.headers["retry-after"], "1");
    }
}

#[test]
fn guests_that_went_on_after_their_response_give_their_places_back() {
    for (guest, reuse) in GOING_ON {
        let project = functions(1, &[(guest, reuse), ("treats", "")]);
        let server = Server::start(&project);
        assert_eq!(server.get(&format!("/api/{guest}/after?ms=20")).summary(), (200, "answered".to_owned()));
        server.wait_for_in_flight(0);
        assert_served(&server.get("/api/treats/10"));
    }
}
