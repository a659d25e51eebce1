//! More invocations at once than a server or a function allows.

use crate::faults::support::{Response, Server, eventually, project};

const CONFIGURATION: &str = "
[server]
concurrency = 3
[functions.spin]
source = \"@spin\"
timeout = \"10m\"
concurrency = 2
[functions.more-spin]
source = \"@spin\"
export = \"spin\"
timeout = \"10m\"
[functions.treats]
source = \"@treats\"
";

/// How long the call waited for a place, in milliseconds.
fn queued_ms(response: &Response) -> f64 {
    let timing = &response.headers["server-timing"];
    let queued = timing.split(", ").find_map(|part| part.strip_prefix("queued;dur="));
    queued.unwrap().parse().unwrap()
}

fn assert_refused(response: &Response, status: u16) {
    assert_eq!(response.failure(), (status, "overloaded".to_owned()));
    assert_eq!(response.headers["retry-after"], "1");
    assert!(queued_ms(response) >= 500.0, "a call waits for half a second before it is refused: {response:?}");
}

/// Calls `path` until the response has this status. An invocation is in flight a moment before it has its place, so the
/// server may let in a few calls before it.
fn first_with(server: &Server, path: &str, status: u16) -> Response {
    eventually("a refused call", || Some(server.get(path)).filter(|response| response.status == status))
}

#[test]
fn a_call_over_a_functions_limit_is_refused_after_a_wait_and_other_functions_are_served() {
    let project = project(CONFIGURATION);
    let server = Server::start(&project);
    // Any of the three may be the refused one: an invocation is in flight a moment before it has its place.
    let mut clients = [(); 3].map(|()| server.connect_and_get("/api/spin"));
    let refused = eventually("a refused call", || {
        clients.iter_mut().find(|client| !client.is_silent()).map(|client| client.response().unwrap())
    });
    assert_refused(&refused, 429);
    server.wait_for_in_flight(2);
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
}

#[test]
fn a_call_over_the_servers_limit_is_refused_after_a_wait_until_there_is_room() {
    let project = project(CONFIGURATION);
    let server = Server::start(&project);
    let spinners = ["/api/spin", "/api/spin", "/api/more-spin"].map(|path| server.connect_and_get(path));
    server.wait_for_in_flight(3);
    assert_refused(&first_with(&server, "/api/treats/10", 503), 503);
    for path in ["/healthz", "/readyz", "/", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    drop(spinners);
    server.wait_for_in_flight(0);
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
}

#[test]
fn a_flooded_function_leaves_places_for_others() {
    let project = project(
        "
[server]
concurrency = 8
[functions.spin]
source = \"@spin\"
timeout = \"10m\"
[functions.one-by-one]
source = \"@spin\"
export = \"spin\"
timeout = \"10m\"
concurrency = 1
[functions.treats]
source = \"@treats\"
",
    );
    // The second one's calls hold places of the server while they wait for their function.
    for flooded in ["/api/spin", "/api/one-by-one"] {
        let server = Server::start(&project);
        let mut clients: Vec<_> = (0..20).map(|_| server.connect_and_get(flooded)).collect();
        // Two threads may let in one each at the same moment.
        eventually("the flooded function's share", || (server.metric("nebula_admission_taken") >= 6).then_some(()));
        assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()), "{flooded}");
        let refused = eventually("a refused call", || {
            let refused = clients.iter_mut().find(|client| !client.is_silent())?.response().unwrap();
            (refused.status == 503).then_some(refused)
        });
        assert_refused(&refused, 503);
        let (_, body) = refused.summary();
        assert!(body.contains("has its share of the server's concurrency limit"), "{body}");
    }
}
