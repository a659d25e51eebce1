//! Guests that spin forever.

use nebula_integration_tests::Project;

use crate::faults::support::{Client, Server, project};

/// Probably more than the machine has cores.
const SPINNERS: u64 = 8;

/// A project with a function that spins until `timeout`, and one that returns at once.
fn spinning_project(timeout: &str) -> Project {
    project(&format!(
        "[functions.spin]\nsource = \"@spin\"\ntimeout = {timeout:?}\n[functions.treats]\nsource = \"@treats\""
    ))
}

fn start_spinning(server: &Server) -> Vec<Client> {
    (0..SPINNERS).map(|_| server.connect_and_get("/api/spin")).collect()
}

fn assert_answers(server: &Server) {
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
    assert_eq!(server.get("/healthz").summary(), (200, "ok".to_owned()));
}

#[test]
fn spinning_guests_do_not_starve_other_requests() {
    let project = spinning_project("10m");
    let server = Server::start(&project);
    let _spinners = start_spinning(&server);
    server.wait_for_in_flight(SPINNERS);
    for _ in 0..50 {
        assert_answers(&server);
    }
    // All of the guests still spin.
    server.wait_for_in_flight(SPINNERS);
}

#[test]
fn spinning_guests_are_stopped_at_their_deadline() {
    let project = spinning_project("2s");
    let server = Server::start(&project);
    let spinners = start_spinning(&server);
    assert_answers(&server);
    for mut spinner in spinners {
        assert_eq!(spinner.response().unwrap().failure(), (504, "timeout".to_owned()));
        assert_answers(&server);
    }
    server.wait_for_in_flight(0);
}

#[test]
fn a_spinning_guest_is_stopped_when_its_client_leaves() {
    let project = spinning_project("10m");
    let server = Server::start(&project);
    let mut spinners = start_spinning(&server);
    server.wait_for_in_flight(SPINNERS);
    drop(spinners.pop());
    server.wait_for_in_flight(SPINNERS - 1);
    drop(spinners);
    server.wait_for_in_flight(0);
    #[cfg(target_os = "linux")]
    wait_until_idle(&server);
}

/// Waits until the server uses almost no CPU time.
#[cfg(target_os = "linux")]
fn wait_until_idle(server: &Server) {
    use std::{thread, time::Duration};

    crate::faults::support::eventually("an idle server", || {
        let before = server.cpu_ticks();
        thread::sleep(Duration::from_millis(200));
        // In this time, one spinning guest uses twenty ticks of an otherwise idle core.
        (server.cpu_ticks() - before <= 2).then_some(())
    });
}
