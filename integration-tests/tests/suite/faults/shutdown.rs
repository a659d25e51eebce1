//! Signals to a server that handles requests.

use nebula_integration_tests::Project;

use crate::faults::support::{Client, Server, project};

/// Starts a server with one invocation, which runs until its client sends the rest of the body, `a`.
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
fn after_the_first_signal_requests_finish_and_no_new_ones_are_accepted() {
    for signal in ["TERM", "INT"] {
        let project = project("[functions.hello]\nsource = \"@hello\"");
        let (mut server, mut client) = busy(&project);
        let mut idle = server.connect();
        idle.get("/healthz");
        assert_eq!(idle.response().unwrap().status, 200);
        server.signal(signal);
        server.wait_until_closed();
        assert_eq!(idle.read_to_end(), b"", "the server closes an idle connection");
        client.send("a");
        assert_eq!(client.response().unwrap().summary(), (200, "Hello, Ada!\n".to_owned()));
        assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    }
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let project = project("[functions.hello]\nsource = \"@hello\"");
    let (mut server, mut client) = busy(&project);
    server.signal("TERM");
    server.wait_until_closed();
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    assert_eq!(client.read_to_end(), b"");
}

/// When a terminal is closed, the shell and the system may each send a signal.
#[cfg(target_os = "linux")]
#[test]
fn after_any_number_of_sighups_requests_finish() {
    let project = project("[functions.hello]\nsource = \"@hello\"");
    let mut server = Server::start_with_signal(&project, "--default-signal=HUP");
    let mut client = call_in_flight(&server);
    server.signal("HUP");
    server.wait_until_closed();
    server.signal("HUP");
    client.send("a");
    assert_eq!(client.response().unwrap().summary(), (200, "Hello, Ada!\n".to_owned()));
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_that_was_started_by_nohup_ignores_sighup() {
    let project = project("[functions.hello]\nsource = \"@hello\"");
    let mut server = Server::start_with_signal(&project, "--ignore-signal=HUP");
    server.signal("HUP");
    let mut client = call_in_flight(&server);
    server.signal("HUP");
    client.send("a");
    assert_eq!(client.response().unwrap().summary(), (200, "Hello, Ada!\n".to_owned()));
    assert_eq!(server.get("/readyz").status, 200);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
}
