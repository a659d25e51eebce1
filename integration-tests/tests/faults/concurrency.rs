//! More invocations than a server, or a function, takes at once.

use crate::support::{Answer, Server, eventually, project};

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

/// For how long it was queued, in milliseconds.
fn queued(answer: &Answer) -> f64 {
    let timing = &answer.headers["server-timing"];
    let queued = timing.split(", ").find_map(|part| part.strip_prefix("queued;dur="));
    queued.unwrap().parse().unwrap()
}

fn assert_refused(answer: &Answer, status: u16) {
    assert_eq!(answer.failure(), (status, "overloaded".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(queued(answer) >= 500.0, "it waits for half a second first: {answer:?}");
}

/// The first answer with this status. An invocation is in flight a moment before it has its place, so that one call more may be
/// let in before it.
fn first_with(server: &Server, path: &str, status: u16) -> Answer {
    eventually("a refused call", || Some(server.get(path)).filter(|answer| answer.status == status))
}

#[test]
fn what_is_over_a_functions_limit_waits_and_is_refused_and_others_are_served() {
    let project = project(CONFIGURATION);
    let server = Server::start(&project);
    let _spinners = [(); 2].map(|()| server.connect_and_get("/api/spin"));
    server.wait_for_in_flight(2);
    assert_refused(&server.get("/api/spin"), 429);
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
}

#[test]
fn what_is_over_the_servers_limit_waits_and_is_refused_until_there_is_room() {
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
