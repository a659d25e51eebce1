//! Aliases that move while they are called, also to versions that a server cannot serve.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::Instant,
};

use nebula_integration_tests::{MovingAlias, Nebula, Project, VersionAnswer};
use serde_json::{Value, json};

use crate::faults::support::{Server, eventually, project};

/// How often the alias is moved. `just soak alias` moves one more often.
const MOVES: u64 = 200;

/// How many clients call the alias meanwhile, each on a connection of its own.
const CLIENTS: usize = 32;

/// So many calls at least are answered between two moves, so that the moves take longer than the promise allows.
const CALLS: u64 = 1_000;

fn module(value: u64) -> String {
    format!("(module (func (export \"answer\") (result i64) (i64.const {value})))")
}

/// Moves the alias between calls. Each seventh move is taken back at once.
async fn move_between(alias: &mut MovingAlias, calls: &AtomicU64) {
    for index in 1..=MOVES {
        eventually("calls", || (calls.load(SeqCst) >= index * CALLS).then_some(()));
        alias.advance().await;
        if index % 7 == 0 {
            alias.roll_back().await;
        }
    }
}

/// Calls the alias until `ended`, and returns all answers. No call fails.
fn call_until(server: &Server, ended: &AtomicBool, calls: &AtomicU64) -> Vec<VersionAnswer> {
    let (mut client, mut answers) = (server.connect(), Vec::new());
    while !ended.load(SeqCst) {
        let sent = Instant::now();
        client.get("/shop");
        let (status, body) = client.response().unwrap().summary();
        assert_eq!(status, 200, "{body}");
        answers.push(VersionAnswer { version: body.parse().unwrap(), sent, received: Instant::now() });
        calls.fetch_add(1, SeqCst);
    }
    answers
}

#[test]
fn an_alias_that_moves_under_load_fails_no_request_and_each_answer_is_of_a_version_that_it_named() {
    let project = project(MovingAlias::ROUTE);
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // The moving side has the server's code cache: the server need not compile the versions again.
    let cache = Some(Nebula::built().cache().to_owned());
    let mut alias = tokio.block_on(MovingAlias::publish(&project.join("store"), cache, MOVES));
    let (server, ended, answers) = (Server::start(&project), AtomicBool::new(false), Mutex::new(Vec::new()));
    let calls = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let seen = call_until(&server, &ended, &calls);
                answers.lock().unwrap().extend(seen);
            });
        }
        // The clients end, also where this panics.
        let moving = catch_unwind(AssertUnwindSafe(|| {
            tokio.block_on(move_between(&mut alias, &calls));
            let last = alias.version().to_string();
            eventually("the last version", || (server.get("/shop").summary() == (200, last.clone())).then_some(()));
        }));
        ended.store(true, SeqCst);
        moving.unwrap_or_else(|panic| resume_unwind(panic));
    });
    let answers = answers.into_inner().unwrap();
    let late: Vec<_> =
        answers.iter().map(|answer| alias.lateness(answer).unwrap()).filter(|late| !late.is_zero()).collect();
    assert!(
        late.is_empty(),
        "{} of {} answers came too late, by up to {:?}",
        late.len(),
        answers.len(),
        late.iter().max()
    );
    let versions: BTreeSet<_> = answers.iter().map(|answer| answer.version).collect();
    assert!(versions.len() > 1, "the server followed while it was called: {versions:?}");
}

#[test]
fn a_server_that_cannot_serve_a_version_stays_on_the_earlier_one_and_says_so_until_it_can() {
    let config = "[functions.answer]\nsource = \"answer.wat\"\ndirs = [{ host = \"data\", guest = \"/data\" }]\n";
    let project = Project::new([]);
    let nebula = Nebula::built();
    let run = |arguments: &[&str]| {
        let ran = nebula.run(&project, arguments, b"");
        assert_eq!(ran.exit_code, 0, "{arguments:?}: {}", ran.stderr);
    };
    project.write("nebula.toml", "[sandbox]\npaths = [\".\"]\n");
    project.write("answer.wat", module(1));
    run(&["publish", "answer", "answer.wat", "--alias", "prod"]);
    let server = Server::start(&project);
    assert_eq!(server.get("/api/answer@prod").summary(), (200, "1".to_owned()));

    // Published where the folder is, and served where it is not.
    project.write("answer.wat", module(2));
    project.write("granting.toml", config);
    fs::create_dir(project.join("data")).unwrap();
    run(&["publish", "answer", "answer.wat", "--config", "granting.toml"]);
    fs::remove_dir(project.join("data")).unwrap();
    run(&["alias", "answer", "prod", "2"]);
    let held = "answer@prod stays on version 1: version 2 cannot be served here, as the log says";
    eventually("a server that says what it holds back", || {
        assert_eq!(server.get("/api/answer@prod").summary(), (200, "1".to_owned()));
        let (status, ready) = server.get("/readyz").summary();
        assert_eq!(status, 200, "the earlier version is served: {ready}");
        ready.lines().any(|line| line == held).then_some(())
    });
    let sample = "nebula_held_back{function=\"answer\",alias=\"prod\",version=\"2\"} 1";
    assert!(server.get("/metrics").summary().1.lines().any(|line| line == sample));

    fs::create_dir(project.join("data")).unwrap();
    eventually("the new version", || {
        let (status, answer) = server.get("/api/answer@prod").summary();
        assert_eq!(status, 200, "{answer}");
        (answer == "2").then_some(())
    });
    assert_eq!(server.get("/readyz").summary(), (200, "ok".to_owned()));
    assert!(!server.get("/metrics").summary().1.contains("nebula_held_back{"));
    let log = server.log();
    let said = log.lines().filter(|line| line.contains("a version cannot be served here") && line.contains("prod"));
    assert_eq!(said.count(), 1, "{log}");
}

#[test]
fn a_canary_that_fails_is_seen_in_the_list_of_functions_and_in_the_metrics() {
    let project = Project::new([]);
    let nebula = Nebula::built();
    for body in ["(i64.const 1)", "(unreachable)"] {
        project.write("answer.wat", format!("(module (func (export \"answer\") (result i64) {body}))"));
        assert_eq!(nebula.publish(&project, "answer", &project.join("answer.wat"), &[]).exit_code, 0);
    }
    let moved = nebula.run(&project, &["alias", "answer", "prod", "1=1", "2=1"], b"");
    assert_eq!((moved.exit_code, moved.text()), (0, "answer@prod: none -> 1=1 2=1\n".to_owned()));
    let server = Server::start(&project);
    let (mut well, mut failed) = (0, 0);
    while well < 3 || failed < 3 {
        match server.get("/api/answer@prod").status {
            200 => well += 1,
            status => failed += u64::from(status == 502),
        }
    }
    let calls = json!([
        { "version": 1, "calls": well, "failures": 0 },
        { "version": 2, "calls": failed, "failures": failed },
    ]);
    let listed: Value = serde_json::from_slice(&server.get("/").body).unwrap();
    let [function] = &listed["functions"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&function["calls"], &function["targets"]["prod"]), (&calls, &json!({ "weights": { "1": 1, "2": 1 } })));
    assert_eq!(server.invocations("answer", 2, "guest_fault"), failed);
}
