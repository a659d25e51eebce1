//! Two servers with one store, and publishes while both serve requests.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
};

use nebula_integration_tests::{Nebula, Project};

use crate::faults::support::{Server, eventually, project};

/// How many versions are published during the test.
const PUBLISHES: u64 = 5;

/// Each client makes at least this many calls between two publishes.
const CALLS: u64 = 20;

/// Publishes a version of the function `answer` that returns `value`.
fn publish(project: &Project, value: u64) {
    project.write("answer.wat", format!("(module (func (export \"answer\") (result i64) (i64.const {value})))"));
    let output = Nebula::built().publish(project, "answer", &project.join("answer.wat"), &[]);
    assert_eq!(output.exit_code, 0, "{}", output.stderr);
}

/// The version that was published last, and the number of calls that each client has made.
struct Progress {
    published: AtomicU64,
    calls: [AtomicU64; 2],
}

#[test]
fn no_request_to_two_servers_of_one_store_fails_during_publishes() {
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

/// Calls the function until it returns the last version. No call fails, and no call returns an earlier version than the
/// call before.
fn call_until_newest(server: &Server, published: &AtomicU64, calls: &AtomicU64) {
    let (mut client, mut newest) = (server.connect(), 0);
    while newest < PUBLISHES {
        client.get("/api/answer");
        let (status, body) = client.response().unwrap().summary();
        assert_eq!(status, 200, "{body}");
        let answer = body.parse().unwrap();
        // A publish may be visible a moment before `published` counts it.
        assert!((newest..=published.load(SeqCst) + 1).contains(&answer), "version {answer} after {newest}");
        newest = answer;
        calls.fetch_add(1, SeqCst);
    }
}
