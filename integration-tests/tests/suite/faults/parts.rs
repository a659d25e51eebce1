//! Guests of many core instances: admission alone decides how many of them run at once.

use std::thread;

use nebula_integration_tests::Guest;

use crate::faults::support::{Server, project};

#[test]
fn as_many_large_guests_run_at_once_as_admission_lets_in() {
    const CALLS: usize = 20;

    for concurrency in [1, 2, 8] {
        let server = Server::start(&project(&format!(
            "[server]\nconcurrency = {concurrency}\n[functions.typed-parts]\nsource = \"@typed-parts\"\n\
             [functions.parts]\nsource = \"@parts\"\n[functions.three-memories]\nsource = \"@three-memories\"\n"
        )));
        let call_all = || {
            let mut client = server.connect();
            for path in ["/api/typed-parts/2000000", "/api/parts", "/api/three-memories:add/40/2"] {
                for _ in 0..CALLS {
                    client.get(path);
                    let response = client.response().unwrap();
                    assert_eq!(response.status, 200, "concurrency {concurrency}: {response:?}");
                }
            }
        };
        // There are as many callers as places. Each caller waits for its response.
        thread::scope(|scope| (0..concurrency).for_each(|_| drop(scope.spawn(call_all))));
    }
}

#[test]
fn idle_instances_give_their_places_to_called_functions() {
    let guest = Guest::named("http3-hello").unwrap().path;
    let function = |number| format!("[functions.hello-{number}]\nsource = {guest:?}\nreuse = {{ idle = \"10m\" }}\n");
    let functions: String = (0..8).map(function).collect();
    let server = Server::start(&project(&format!("[server]\nconcurrency = 1\n{functions}")));
    for number in (0..8).chain(0..8) {
        let response = server.get(&format!("/api/hello-{number}"));
        assert_eq!(response.status, 200, "hello-{number}: {response:?}");
    }
}

#[test]
fn a_guest_runs_although_many_of_its_instances_wait_at_once() {
    let server =
        Server::start(&project("[server]\nconcurrency = 1\n[functions.typed-waiting]\nsource = \"@typed-waiting\"\n"));
    assert_eq!(server.get("/api/typed-waiting").summary(), (200, "12".to_owned()));
}
