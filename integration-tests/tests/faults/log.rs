//! A log that cannot be written, or that nobody reads, and guests whose stderr is output.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
    thread,
};

use nebula_integration_tests::{Event, Function, Guest, Nebula, Package, Project, RuntimeApi, bootstrap};
use serde_json::json;

use crate::support::{Log, Server, eventually, project};

/// How much `noisy` writes to stderr: more than a pipe holds.
const NOISE: usize = 4 * 65_536;

/// How many lines of it one invocation puts into the log.
const NOISE_LOGGED: usize = 16;

/// A command that writes so much to stderr, and exits with 7. Where its input begins with `0`, it sleeps for a moment
/// instead, and exits with 0.
const NOISY: &str = r#"
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (local $left i32)
    (i32.store (i32.const 0) (i32.const 16)) ;; a buffer of one byte
    (i32.store (i32.const 4) (i32.const 1))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (i32.eq (i32.load8_u (i32.const 16)) (i32.const 0x30))
      (then
        (i64.store (i32.const 1048) (i64.const 100000000)) ;; at 1024 the wait for a clock, of 100 ms
        (drop (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 8)))
        (call $exit (i32.const 0))))
    (memory.fill (i32.const 65536) (i32.const 0x78) (i32.const 65536))
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 65536))
    (local.set $left (i32.const 4))
    (loop $more
      (if (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $exit (i32.const 7))))
"#;

fn functions() -> Project {
    let project = project("[functions.treats]\nsource = \"@treats\"\n[functions.noisy]\nsource = \"noisy.wat\"");
    project.write("noisy.wat", NOISY);
    project
}

/// Logs in text and in JSON, of failures and of all invocations.
const OPTIONS: [&[&str]; 3] = [&["--log-format", "text"], &["--log-format", "json"], &["--reports", "all"]];

/// A bad call, and what a function writes to stderr, are logged.
fn assert_serves(server: &Server, bad_calls: usize) {
    let mut client = server.connect();
    for _ in 0..bad_calls {
        client.get("/api/treats/x");
        assert_eq!(client.answer().unwrap().failure(), (400, "invalid_input".to_owned()));
    }
    assert_eq!(server.get("/api/noisy/1").failure(), (502, "guest_fault".to_owned()));
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
}

fn assert_ends(mut server: Server) {
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
}

fn lost(server: &Server) -> u64 {
    server.metric("nebula_log_lines_lost_total")
}

/// Reads a log until it tells of lost lines. Gives their number; none where the log ends first.
fn read_lost(log: &mut Log) -> Option<u64> {
    let told = |line: String| line.strip_suffix(" lines of the log were lost")?.rsplit(' ').next()?.parse().ok();
    log.lines().map_while(Result::ok).find_map(told)
}

#[test]
fn a_server_whose_log_has_no_reader_serves_counts_what_it_loses_and_ends() {
    for options in OPTIONS {
        let project = functions();
        let (server, log) = Server::start_unread(&project, options);
        drop(log);
        assert_serves(&server, 3);
        eventually("the report of a bad call is lost", || (lost(&server) >= 3).then_some(()));
        assert_ends(server);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_whose_log_is_on_a_full_disk_serves_counts_what_it_loses_and_ends() {
    for options in OPTIONS {
        let project = functions();
        let server = Server::start_with_full_disk(&project, options);
        assert_serves(&server, 3);
        eventually("the report of a bad call is lost", || (lost(&server) >= 3).then_some(()));
        assert_ends(server);
    }
}

/// Calls until the pipe and the queue are full, and then some more.
fn fill(server: &Server) {
    while lost(server) == 0 {
        assert_serves(server, 100);
    }
    assert_serves(server, 1_000);
}

#[test]
fn a_server_whose_log_is_not_read_serves_and_ends() {
    let project = functions();
    let (server, _log) = Server::start_unread(&project, &[]);
    fill(&server);
    assert_ends(server);
}

#[test]
fn lines_that_were_lost_are_told_of_once_when_the_log_is_read_again() {
    let project = functions();
    let (server, mut log) = Server::start_unread(&project, &[]);
    fill(&server);
    assert_eq!(read_lost(&mut log), Some(lost(&server)));
    assert_eq!(server.get("/api/treats/x").status, 400);
    assert_ends(server);
    assert_eq!(read_lost(&mut log), None);
}

#[test]
fn a_watching_server_whose_log_has_no_reader_publishes_each_change() {
    let project = project("[functions.f]\nsource = \"f.wat\"");
    let write = |number: u32| {
        project.write("f.wat", format!("(module (func (export \"f\") (result i32) (i32.const {number})))"));
    };
    write(0);
    let (server, log) = Server::start_unread(&project, &["--watch"]);
    drop(log);
    for number in 1..=3 {
        write(number);
        let served = || server.get("/api/f").summary() == (200, number.to_string());
        eventually(&format!("version {number}"), || served().then_some(()));
    }
    assert_ends(server);
}

/// A `nebula run` of `noisy` with these arguments.
fn run(project: &Project, arguments: &[&str]) -> Child {
    let mut command = Nebula::built().command(project, [&["run", "./noisy.wat"], arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn nothing_of_a_guest_s_stderr_is_lost_and_all_of_it_stands_before_what_nebula_says() {
    let project = functions();
    let mut process = run(&project, &["1"]);
    // The process has nothing to do by then but to wait for its reader: stdout ends with the guest.
    let mut stderr = process.stderr.take().unwrap();
    let mut first = [0; 1024];
    stderr.read_exact(&mut first).unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let noise = rest.trim_start_matches('x');
    assert_eq!((first, rest.len() - noise.len()), ([b'x'; 1024], NOISE - 1024));
    assert!(noise.starts_with("error: guest_fault: the function exited with code 7"), "{noise}");
    assert_eq!(process.wait().unwrap().code(), Some(7));
}

#[test]
fn a_guest_whose_stderr_has_no_reader_goes_on() {
    let project = functions();
    let mut process = run(&project, &["1"]);
    drop(process.stderr.take());
    assert_eq!(process.wait().unwrap().code(), Some(7));
}

#[test]
fn guests_that_wait_for_the_reader_of_stderr_keep_no_other_from_running() {
    let project = functions();
    let noisy = thread::available_parallelism().map_or(2, usize::from) + 1;
    let mut process = run(&project, &["--jobs", &(noisy + 1).to_string()]);
    process.stdin.take().unwrap().write_all(["0\n".to_owned(), "1\n".repeat(noisy)].concat().as_bytes()).unwrap();
    let mut results = BufReader::new(process.stdout.take().unwrap()).lines();
    assert_eq!(results.next().unwrap().unwrap(), "\"\"", "it comes although nobody reads stderr");
    let mut stderr = String::new();
    process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let summary = stderr.trim_start_matches('x');
    assert_eq!(stderr.len() - summary.len(), noisy * NOISE);
    assert!(summary.starts_with(&format!("{} events, {noisy} failed, ", noisy + 1)), "{summary}");
    assert_eq!((results.count(), process.wait().unwrap().code()), (noisy, Some(7)));
}

/// An environment of AWS Lambda whose function is `noisy`, and the API that it talks to.
fn environment() -> (Child, RuntimeApi, Package, Project) {
    let project = functions();
    let treats = Guest::named("treats").unwrap().functions.remove(0);
    let config = toml::Table::from_iter([("batch".to_owned(), "item".into())]);
    let noisy = Function { name: "noisy".to_owned(), source: project.join("noisy.wat"), config, ..treats };
    let (package, api) = (Package::new(&[noisy]), RuntimeApi::start());
    let mut command = bootstrap(package.folder(), api.address());
    let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    (process, api, package, project)
}

fn assert_guest_faults(api: &RuntimeApi) {
    let told = json!({ "errorType": "guest_fault", "errorMessage": "the function exited with code 7" });
    assert_eq!(api.invoke(Event::new("1")).unwrap().json(), told);
}

/// A batch of so many records.
fn batch(records: usize) -> Event {
    let record = |id| json!({ "eventSource": "aws:sqs", "messageId": format!("record {id}"), "body": "1" });
    Event::new(json!({ "Records": (0..records).map(record).collect::<Vec<_>>() }).to_string())
}

#[test]
fn what_an_event_logged_is_written_before_the_next_one_is_asked_for() {
    /// Together they log ten times as much as a pipe holds, and less than waits to be written.
    const RECORDS: usize = 10;

    let (mut process, api, _package, _project) = environment();
    let failed = api.invoke(batch(RECORDS)).unwrap().json();
    assert_eq!(failed["batchItemFailures"].as_array().unwrap().len(), RECORDS);
    // Read only now: there is much left to be written when the answer is there.
    let mut stderr = process.stderr.take().unwrap();
    let reading = thread::spawn(move || {
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).map(|_| log).unwrap()
    });
    // Lambda freezes it now. What it has not written is not there.
    api.wait_until_asked(2);
    process.kill().unwrap();
    let (log, status) = (reading.join().unwrap(), process.wait().unwrap());
    let lines: Vec<serde_json::Value> = log.split(|byte| *byte == b'\n').flat_map(serde_json::from_slice).collect();
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    let noise = messages.iter().filter(|message| message.starts_with('x')).count();
    let reports = messages.iter().filter(|message| **message == "REPORT").count();
    assert_eq!((noise, reports), (RECORDS * NOISE_LOGGED, RECORDS), "{status}");
}

#[test]
fn an_environment_whose_log_has_no_reader_answers_and_ends() {
    let (mut process, api, _package, _project) = environment();
    drop(process.stderr.take());
    assert_guest_faults(&api);
    assert_guest_faults(&api);
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
