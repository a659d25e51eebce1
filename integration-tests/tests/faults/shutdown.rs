//! Signals to a server that is at work.

use nebula_integration_tests::Project;

use crate::support::{Client, Server, project};

/// A server with an invocation that goes on until its client sends the rest of its body, `a`.
fn busy(project: &Project) -> (Server, Client) {
    let server = Server::start(project);
    let client = call_in_flight(&server);
    (server, client)
}

fn call_in_flight(server: &Server) -> Client {
    let mut client = server.connect();
    client.send("POST /api/hello HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nAd");
    server.wait_for_in_flight(1);
    client
}

#[test]
fn the_first_signal_lets_requests_finish_and_takes_no_more() {
    for signal in ["TERM", "INT"] {
        let project = project("[functions.hello]\nsource = \"@hello\"");
        let (mut server, mut client) = busy(&project);
        let mut idle = server.connect();
        idle.get("/healthz");
        assert_eq!(idle.answer().unwrap().status, 200);
        server.signal(signal);
        server.wait_until_closed();
        assert_eq!(idle.rest(), b"", "an idle connection is ended");
        client.send("a");
        assert_eq!(client.answer().unwrap().summary(), (200, "Hello, Ada!\n".to_owned()));
        assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    }
}

#[test]
fn a_second_signal_quits() {
    let project = project("[functions.hello]\nsource = \"@hello\"");
    let (mut server, mut client) = busy(&project);
    server.signal("TERM");
    server.wait_until_closed();
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    assert_eq!(client.rest(), b"");
}

/// A terminal that is closed may send one from the shell and one from the system.
#[cfg(target_os = "linux")]
#[test]
fn sighup_lets_requests_finish_however_often_it_comes() {
    let project = project("[functions.hello]\nsource = \"@hello\"");
    let mut server = Server::start_with_signal(&project, "--default-signal=HUP");
    let mut client = call_in_flight(&server);
    server.signal("HUP");
    server.wait_until_closed();
    server.signal("HUP");
    client.send("a");
    assert_eq!(client.answer().unwrap().summary(), (200, "Hello, Ada!\n".to_owned()));
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
}

#[cfg(target_os = "linux")]
#[test]
fn sighup_is_ignored_by_a_server_that_was_started_so_as_nohup_does() {
    let project = project("[functions.hello]\nsource = \"@hello\"");
    let mut server = Server::start_with_signal(&project, "--ignore-signal=HUP");
    server.signal("HUP");
    let mut client = call_in_flight(&server);
    server.signal("HUP");
    client.send("a");
    assert_eq!(client.answer().unwrap().summary(), (200, "Hello, Ada!\n".to_owned()));
    assert_eq!(server.get("/readyz").status, 200);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
}
