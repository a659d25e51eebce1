//! Guests of many parts: how many of them run at once is for admission alone to say.

use std::thread;

use nebula_integration_tests::Guest;

use crate::support::{Server, project};

#[test]
fn as_many_guests_of_many_parts_run_at_once_as_the_server_lets_in() {
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
                    let answer = client.answer().unwrap();
                    assert_eq!(answer.status, 200, "concurrency {concurrency}: {answer:?}");
                }
            }
        };
        // As many callers as there are places, each of whom waits for the answer.
        thread::scope(|scope| (0..concurrency).for_each(|_| drop(scope.spawn(call_all))));
    }
}

#[test]
fn idle_instances_leave_their_places_to_functions_that_are_called() {
    let guest = Guest::named("http3-hello").unwrap().path;
    let function = |number| format!("[functions.hello-{number}]\nsource = {guest:?}\nreuse = {{ idle = \"10m\" }}\n");
    let functions: String = (0..8).map(function).collect();
    let server = Server::start(&project(&format!("[server]\nconcurrency = 1\n{functions}")));
    for number in (0..8).chain(0..8) {
        let answer = server.get(&format!("/api/hello-{number}"));
        assert_eq!(answer.status, 200, "hello-{number}: {answer:?}");
    }
}

#[test]
fn a_guest_of_many_instances_that_wait_at_once_has_its_place() {
    let server =
        Server::start(&project("[server]\nconcurrency = 1\n[functions.typed-waiting]\nsource = \"@typed-waiting\"\n"));
    assert_eq!(server.get("/api/typed-waiting").summary(), (200, "12".to_owned()));
}
