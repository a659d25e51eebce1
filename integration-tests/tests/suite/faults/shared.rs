//! Servers of a store in S3: what they ask it for, and what becomes of them without it.

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Nebula, ProcessOutput, Project};
use nebula_store_servers::{Fault, Request, S3Server};

use crate::faults::support::{Server, eventually, guest, project};

/// A known function is read again at most so often.
const POLL: Duration = Duration::from_millis(500);

/// How many functions are published where `NEBULA_TEST_FUNCTIONS` does not say.
const FUNCTIONS: usize = 200;

/// A bucket, and a `nebula` whose store is in there.
struct Shared {
    s3: S3Server,
    nebula: Nebula,
    project: Project,
}

impl Shared {
    /// `None` where there is no S3 server to test with.
    fn new() -> Option<Self> {
        let s3 = S3Server::start("bucket")?;
        let variables = s3.variables().into_iter().chain([("NEBULA_STORE", "s3://bucket/team".to_owned())]);
        Some(Self { nebula: Nebula::built().with_environment(variables), s3, project: project("") })
    }

    fn publish(&self, value: u64) {
        self.project
            .write("answer.wat", format!("(module (func (export \"answer\") (result i64) (i64.const {value})))"));
        let file = self.project.join("answer.wat");
        let _ = self.nebula.publish(&self.project, "answer", &file, &[]).expect_success();
    }

    fn serve(&self) -> Server {
        Server::start_as(&self.nebula, &self.project)
    }

    /// Runs a command that fails; gives its exit code and what it says.
    fn failing(&self, nebula: &Nebula, arguments: &[&str]) -> (i32, String) {
        let ProcessOutput { exit_code, stderr, .. } = nebula.run(&self.project, arguments, b"");
        (exit_code, stderr)
    }
}

fn of<'a>(requests: &'a [Request], part: &str) -> Vec<&'a Request> {
    requests.iter().filter(|request| request.path.contains(part)).collect()
}

fn answer(server: &Server) -> (u16, String) {
    server.get("/api/answer").summary()
}

#[test]
fn a_publish_from_one_machine_is_seen_by_two_servers() {
    let Some(shared) = Shared::new() else { return };
    shared.publish(1);
    let servers = [shared.serve(), shared.serve()];
    servers.iter().for_each(|server| assert_eq!(answer(server), (200, "1".to_owned())));
    shared.publish(2);
    for server in &servers {
        let began = Instant::now();
        // A function that is called all the time is read again as long ago as is promised at most.
        eventually("the new version", || (answer(server) == (200, "2".to_owned())).then_some(()));
        eprintln!("seen {:?} after the publish had ended", began.elapsed());
    }
    let listed = shared.nebula.run(&shared.project, &["list"], b"").expect_success().text();
    assert!(listed.contains("answer  2 "), "{listed}");
}

#[test]
fn calls_cost_the_store_a_conditional_read_each_half_second_and_nothing_else() {
    let Some(shared) = Shared::new() else { return };
    shared.publish(1);
    let server = shared.serve();
    assert_eq!(answer(&server), (200, "1".to_owned()));
    shared.s3.requests();
    let (began, mut calls) = (Instant::now(), 0_u32);
    while began.elapsed() < 6 * POLL {
        assert_eq!(answer(&server), (200, "1".to_owned()));
        calls += 1;
    }
    let requests = shared.s3.requests();
    let most = began.elapsed().as_millis() / POLL.as_millis() + 1;
    assert!((1..=most).contains(&(requests.len() as u128)), "{calls} calls: {requests:#?}");
    let path = "/bucket/team/functions/answer.json".to_owned();
    let unchanged = Request { method: "GET".to_owned(), path, trace: None, status: 304, sent: 0 };
    assert!(requests.iter().all(|request| *request == unchanged), "{requests:#?}");
    assert!(calls as usize > requests.len(), "{calls} calls cost {} requests", requests.len());
}

#[test]
fn a_start_reads_no_function_and_a_first_call_reads_its_own() {
    let Some(shared) = Shared::new() else { return };
    (1..=5).for_each(|value| shared.publish(value));
    let functions = env::var("NEBULA_TEST_FUNCTIONS").map_or(FUNCTIONS, |count| count.parse().unwrap());
    for number in 0..functions {
        shared.s3.copy("bucket/team/functions/answer.json", &format!("bucket/team/functions/answer-{number}.json"));
    }
    let nebula = shared.nebula.clone().with_cache(shared.project.join("another cache"));
    shared.s3.requests();
    let began = Instant::now();
    let server = Server::start_as(&nebula, &shared.project);
    eprintln!("{functions} functions: {:?} to the line that says where the server listens", began.elapsed());
    let start = shared.s3.requests();
    assert!(of(&start, "/functions/").is_empty() && of(&start, "blobs").is_empty(), "{start:#?}");
    let lists = of(&start, "list-type").len();
    assert_eq!((of(&start, "nebula-store.json").len(), lists + 1), (1, start.len()), "{start:#?}");

    let began = Instant::now();
    assert_eq!(server.get("/api/answer-7").summary(), (200, "5".to_owned()));
    eprintln!("the first call took {:?}, and the start {lists} lists", began.elapsed());
    let call = shared.s3.requests();
    assert_eq!(of(&call, "/functions/answer-7.json").len(), 1, "{call:#?}");
    // The manifest, the configuration and the module.
    assert_eq!((of(&call, "/blobs/").len(), call.len()), (3, 4), "{call:#?}");
}

/// Ends the clients of a test, also where that fails.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn a_store_that_is_away_fails_no_request_and_is_seen() {
    let Some(shared) = Shared::new() else { return };
    shared.publish(1);
    let _ = shared.nebula.publish(&shared.project, "treats", &guest("treats"), &[]).expect_success();
    let server = shared.serve();
    assert_eq!((answer(&server).0, server.get("/api/treats/10").status), (200, 200));
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let stopping = Stopping(&stop);
        for path in ["/api/answer", "/api/treats/10", "/api/answer", "/api/treats/10"] {
            let (server, stop, calls) = (&server, &stop, &calls);
            scope.spawn(move || {
                let mut client = server.connect();
                while !stop.load(SeqCst) {
                    client.get(path);
                    assert_eq!(client.response().unwrap().status, 200);
                    calls.fetch_add(1, SeqCst);
                }
            });
        }
        for fault in [Fault::Away, Fault::Hangs, Fault::Refuses] {
            shared.s3.set(fault);
            let failed = server.metric("nebula_store_failed_reads_total");
            eventually("a server that has missed its store", || {
                (server.metric("nebula_store_away") == 1).then_some(())
            });
            eventually("a read that failed", || {
                (server.metric("nebula_store_failed_reads_total") > failed).then_some(())
            });
            let (status, problem) = server.get("/readyz").summary();
            assert!(status == 503 && problem.contains("the store"), "{fault:?} {status} {problem}");
            assert_eq!(server.get("/api/other").failure(), (503, "unavailable".to_owned()), "{fault:?}");
            shared.s3.set(Fault::None);
            eventually("a server that has its store", || (server.get("/readyz").status == 200).then_some(()));
            eventually("a read that succeeds", || (server.metric("nebula_store_away") == 0).then_some(()));
            if fault == Fault::Away {
                // Once, whatever number of functions and calls there is.
                eventually("the line of a store that is back", || {
                    server.log().contains(": the store can be read again").then_some(())
                });
                let log = server.log();
                assert_eq!(log.matches("the last known version is served").count(), 1, "{log}");
            }
        }
        drop(stopping);
    });
    shared.publish(2);
    eventually("the next version", || (answer(&server) == (200, "2".to_owned())).then_some(()));
    eprintln!("{} calls", calls.load(SeqCst));
}

#[test]
fn a_store_that_cannot_be_used_is_an_error_that_says_what_to_do() {
    let Some(shared) = Shared::new() else { return };
    let of_store = |store: &str| shared.failing(&shared.nebula, &["list", "--store", store]);
    let cases = [
        ("s4://bucket", 2, "unknown kind of URL"),
        ("s3://", 2, "it names no bucket"),
        ("s3://bucket/none", 66, "there is no store at s3://bucket/none: nebula publish NAME FILE makes one"),
        ("s3://none", 69, "create the bucket"),
    ];
    for (store, exit_code, expected) in cases {
        let (code, said) = of_store(store);
        assert!(code == exit_code && said.contains(expected), "{store}: {code} {said}");
    }
    shared.s3.set(Fault::Refuses);
    let (code, said) = of_store("s3://bucket");
    assert!(code == 69 && said.contains("InvalidAccessKeyId") && said.contains("check AWS_ACCESS_KEY_ID"), "{said}");
    let unreachable = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1")].map(|(name, value)| (name, value.to_owned()));
    let variables = shared.s3.variables().into_iter().skip(1).chain(unreachable);
    let nebula = shared.nebula.clone().with_environment(variables);
    let (code, said) = shared.failing(&nebula, &["list", "--store", "s3://bucket"]);
    assert!(code == 69 && said.contains("refused") && said.contains("check AWS_ENDPOINT_URL"), "{code} {said}");
}
