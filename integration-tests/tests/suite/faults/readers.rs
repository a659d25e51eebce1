//! Clients that do not read their responses, and guests that run on after their responses.

use nebula_integration_tests::{Guest, Project};

use crate::faults::support::{Client, Response, Server, eventually, project};

/// A project whose server lets in `concurrency` invocations. Each guest has its own keys in `nebula.toml`.
fn functions(concurrency: usize, guests: &[(&str, &str)]) -> Project {
    let entry = |(guest, keys): &(&str, &str)| {
        let source = Guest::named(guest).unwrap().path;
        format!("[functions.{guest}]\nsource = {source:?}\n{keys}\n")
    };
    let entries: String = guests.iter().map(entry).collect();
    project(&format!("[server]\nconcurrency = {concurrency}\n{entries}"))
}

/// Waits until the metrics count `count` invocations with this outcome.
fn wait_for_outcome(server: &Server, function: &str, outcome: &str, count: u64) {
    let expected = format!("{count} invocations of {function} that ended as {outcome}");
    eventually(&expected, || (server.invocations(function, 1, outcome) == count).then_some(()));
}

/// Reads until the connection ends, and returns whether the response broke off.
fn is_broken_off(client: &mut Client) -> bool {
    let rest = client.read_to_end();
    rest.starts_with(b"HTTP/1.1 200 OK\r\n") && !rest.ends_with(b"\r\n0\r\n\r\n")
}

fn assert_ten_treats(response: &Response) {
    assert_eq!(response.summary(), (200, "10".to_owned()));
}

/// Keys of a guest that writes more than all buffers between it and a client that does not read.
const FLOOD: &str = "timeout = \"400ms\"\nmax_response = \"1GiB\"";

#[test]
fn a_slow_reader_loses_its_place_to_another_call_and_the_log_says_why() {
    // The place may belong to the server or to the function.
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
fn a_slow_reader_keeps_its_place_and_gets_everything_while_no_call_needs_the_place() {
    let project = functions(2, &[("stdout-flood", "timeout = \"400ms\"\nmax_response = \"16MiB\""), ("sleep", "")]);
    let server = Server::start(&project);
    let mut slow = server.connect_and_get("/api/stdout-flood");
    server.wait_for_in_flight(1);
    // This call takes longer than the timeout of the other guest.
    assert_eq!(server.get("/api/sleep/500").status, 200);
    assert_eq!(server.in_flight(), 1);
    // The guest ends at its limit of output, and not at its timeout.
    assert!(slow.read_to_end().len() > 16 << 20);
    wait_for_outcome(&server, "stdout-flood", "limit_exceeded", 1);
}

/// Guests that run on after their responses, each with its key `reuse`.
const RUNNING_ON: [(&str, &str); 3] = [("http-after", ""), ("http3-trap", ""), ("http3-trap", "reuse = {}\n")];

#[test]
fn guests_that_run_on_after_their_responses_keep_their_places() {
    for (guest, reuse) in RUNNING_ON {
        let project = functions(2, &[(guest, &format!("{reuse}timeout = \"10m\"")), ("treats", "")]);
        let server = Server::start(&project);
        for _ in 0..2 {
            let response = server.get(&format!("/api/{guest}/after?ms=600000"));
            assert_eq!(response.summary(), (200, "answered".to_owned()));
        }
        assert_eq!(server.in_flight(), 2, "{guest} {reuse}");
        let refused = server.get("/api/treats/10");
        assert_eq!(refused.failure(), (503, "overloaded".to_owned()), "{guest} {reuse}");
        assert_eq!(refused.headers["retry-after"], "1");
    }
}

#[test]
fn guests_that_run_on_after_their_responses_return_their_places_when_they_end() {
    for (guest, reuse) in RUNNING_ON {
        let project = functions(1, &[(guest, reuse), ("treats", "")]);
        let server = Server::start(&project);
        assert_eq!(server.get(&format!("/api/{guest}/after?ms=20")).summary(), (200, "answered".to_owned()));
        server.wait_for_in_flight(0);
        assert_ten_treats(&server.get("/api/treats/10"));
    }
}
