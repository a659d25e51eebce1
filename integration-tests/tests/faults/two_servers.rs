//! Two servers on one store, and publishes while both are asked.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
};

use nebula_integration_tests::{Nebula, Project};

use crate::support::{Server, eventually, project};

/// Functions are published so many times while they are called.
const PUBLISHES: u64 = 5;

/// So many calls at least are answered by each client between two publishes.
const CALLS: u64 = 20;

/// Publishes the version of `answer` that answers `value`.
fn publish(project: &Project, value: u64) {
    project.write("answer.wat", format!("(module (func (export \"answer\") (result i64) (i64.const {value})))"));
    let ran = Nebula::built().publish(project, "answer", &project.join("answer.wat"), &[]);
    assert_eq!(ran.exit_code, 0, "{}", ran.stderr);
}

/// What is published last, and how many calls the clients made of it.
struct Progress {
    published: AtomicU64,
    calls: [AtomicU64; 2],
}

#[test]
fn two_servers_of_one_store_fail_no_request_while_it_is_published_to() {
    let project = project("");
    publish(&project, 0);
    let servers = [Server::start(&project), Server::start(&project)];
    let progress = Progress { published: AtomicU64::new(0), calls: Default::default() };
    thread::scope(|scope| {
        for (server, calls) in servers.iter().zip(&progress.calls) {
            scope.spawn(|| call_until_newest(server, &progress.published, calls));
        }
        for value in 1..=PUBLISHES {
            let enough = value * CALLS;
            eventually("calls", || progress.calls.iter().all(|calls| calls.load(SeqCst) >= enough).then_some(()));
            publish(&project, value);
            progress.published.store(value, SeqCst);
        }
    });
}

/// Calls the function until its newest version answers. No call fails, and none goes back to an earlier version.
fn call_until_newest(server: &Server, published: &AtomicU64, calls: &AtomicU64) {
    let (mut client, mut newest) = (server.connect(), 0);
    while newest < PUBLISHES {
        client.get("/api/answer");
        let (status, body) = client.answer().unwrap().summary();
        assert_eq!(status, 200, "{body}");
        let answer = body.parse().unwrap();
        // One more may be published already than its publisher has said.
        assert!((newest..=published.load(SeqCst) + 1).contains(&answer), "{answer} after {newest}");
        newest = answer;
        calls.fetch_add(1, SeqCst);
    }
}
