//! A log that cannot be written or that nobody reads, and guests that write to stderr.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
    thread,
};

use nebula_integration_tests::{Event, Function, Guest, Nebula, Package, Project, RuntimeApi, bootstrap};
use serde_json::json;

use crate::faults::support::{Log, Server, eventually, project};

/// How many bytes `noisy` writes to stderr: more than a pipe holds.
const NOISE: usize = 4 * 65_536;

/// How many log lines one invocation of `noisy` makes.
const NOISE_LOGGED: usize = 16;

/// A command that writes [`NOISE`] bytes to stderr and exits with 7. If its input begins with `0`, it sleeps for 100 ms
/// instead and exits with 0.
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
        (i64.store (i32.const 1048) (i64.const 100000000)) ;; at 1024: a wait of 100 ms for a clock
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

/// Options that log in text and in JSON, and that log failed invocations and all invocations.
const OPTIONS: [&[&str]; 3] = [&["--log-format", "text"], &["--log-format", "json"], &["--reports", "all"]];

/// Makes calls of which the server logs the failures and the guest's stderr.
fn make_logged_calls(server: &Server, bad_calls: usize) {
    let mut client = server.connect();
    for _ in 0..bad_calls {
        client.get("/api/treats/x");
        assert_eq!(client.response().unwrap().failure(), (400, "invalid_input".to_owned()));
    }
    assert_eq!(server.get("/api/noisy/1").failure(), (502, "guest_fault".to_owned()));
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
}

fn assert_ends_at_signal(mut server: Server) {
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
}

fn lost_lines(server: &Server) -> u64 {
    server.metric("nebula_log_lines_lost_total")
}

/// Reads a log until it reports lost lines, and returns their number. `None` if the log ends first.
fn read_lost_lines(log: &mut Log) -> Option<u64> {
    let number = |line: String| line.strip_suffix(" lines of the log were lost")?.rsplit(' ').next()?.parse().ok();
    log.lines().map_while(Result::ok).find_map(number)
}

#[test]
fn a_server_whose_log_is_closed_serves_and_counts_lost_lines_and_ends() {
    for options in OPTIONS {
        let project = functions();
        let (server, log) = Server::start_unread(&project, options);
        drop(log);
        make_logged_calls(&server, 3);
        eventually("the lost reports of failed calls", || (lost_lines(&server) >= 3).then_some(()));
        assert_ends_at_signal(server);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_whose_log_is_on_a_full_disk_serves_and_counts_lost_lines_and_ends() {
    for options in OPTIONS {
        let project = functions();
        let server = Server::start_with_full_disk(&project, options);
        make_logged_calls(&server, 3);
        eventually("the lost reports of failed calls", || (lost_lines(&server) >= 3).then_some(()));
        assert_ends_at_signal(server);
    }
}

/// Makes calls until the pipe and the queue are full, and then more calls.
fn fill(server: &Server) {
    while lost_lines(server) == 0 {
        make_logged_calls(server, 100);
    }
    make_logged_calls(server, 1_000);
}

#[test]
fn a_server_whose_log_nobody_reads_serves_and_ends() {
    let project = functions();
    let (server, _log) = Server::start_unread(&project, &[]);
    fill(&server);
    assert_ends_at_signal(server);
}

#[test]
fn the_number_of_lost_lines_is_logged_once_when_the_log_is_read_again() {
    let project = functions();
    let (server, mut log) = Server::start_unread(&project, &[]);
    fill(&server);
    assert_eq!(read_lost_lines(&mut log), Some(lost_lines(&server)));
    assert_eq!(server.get("/api/treats/x").status, 400);
    assert_ends_at_signal(server);
    assert_eq!(read_lost_lines(&mut log), None);
}

#[test]
fn a_watching_server_whose_log_is_closed_publishes_each_change() {
    let project = project("[functions.f]\nsource = \"f.wat\"");
    let write = |number: u32| {
        project.write("f.wat", format!("(module (func (export \"f\") (result i32) (i32.const {number})))"));
    };
    write(0);
    let (server, log) = Server::start_unread(&project, &["--watch"]);
    drop(log);
    for number in 1..=3 {
        write(number);
        let is_served = || server.get("/api/f").summary() == (200, number.to_string());
        eventually(&format!("version {number}"), || is_served().then_some(()));
    }
    assert_ends_at_signal(server);
}

/// Starts `nebula run` with `noisy` and these arguments.
fn run(project: &Project, arguments: &[&str]) -> Child {
    let mut command = Nebula::built().command(project, [&["run", "./noisy.wat"], arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn all_of_a_guests_stderr_is_written_before_nebulas_own_error() {
    let project = functions();
    let mut process = run(&project, &["1"]);
    // Now the process waits for its reader.
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
fn a_guest_whose_stderr_is_closed_runs_to_its_end() {
    let project = functions();
    let mut process = run(&project, &["1"]);
    drop(process.stderr.take());
    assert_eq!(process.wait().unwrap().code(), Some(7));
}

#[test]
fn guests_that_wait_for_a_reader_of_stderr_do_not_block_other_guests() {
    let project = functions();
    let noisy = thread::available_parallelism().map_or(2, usize::from) + 1;
    let mut process = run(&project, &["--jobs", &(noisy + 1).to_string()]);
    process.stdin.take().unwrap().write_all(["0\n".to_owned(), "1\n".repeat(noisy)].concat().as_bytes()).unwrap();
    let mut results = BufReader::new(process.stdout.take().unwrap()).lines();
    assert_eq!(results.next().unwrap().unwrap(), "\"\"", "the first result comes although nobody reads stderr");
    let mut stderr = String::new();
    process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let summary = stderr.trim_start_matches('x');
    assert_eq!(stderr.len() - summary.len(), noisy * NOISE);
    assert!(summary.starts_with(&format!("{} events, {noisy} failed, ", noisy + 1)), "{summary}");
    assert_eq!((results.count(), process.wait().unwrap().code()), (noisy, Some(7)));
}

/// Starts an AWS Lambda environment whose function is `noisy`.
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
    let error = json!({ "errorType": "guest_fault", "errorMessage": "the function exited with code 7" });
    assert_eq!(api.invoke(Event::new("1")).unwrap().json(), error);
}

/// An event with a batch of records.
fn batch(records: usize) -> Event {
    let record = |id| json!({ "eventSource": "aws:sqs", "messageId": format!("record {id}"), "body": "1" });
    Event::new(json!({ "Records": (0..records).map(record).collect::<Vec<_>>() }).to_string())
}

#[test]
fn the_log_of_an_event_is_written_before_the_environment_asks_for_the_next() {
    /// Together they log ten times as much as a pipe holds, and less than the queue holds.
    const RECORDS: usize = 10;

    let (mut process, api, _package, _project) = environment();
    let failed = api.invoke(batch(RECORDS)).unwrap().json();
    assert_eq!(failed["batchItemFailures"].as_array().unwrap().len(), RECORDS);
    // The test reads the log only now, so that most of it was not written when the response came.
    let mut stderr = process.stderr.take().unwrap();
    let reading = thread::spawn(move || {
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).map(|_| log).unwrap()
    });
    // Lambda would freeze the process now. Lines that it has not written would be missing.
    api.wait_for_polls(2);
    process.kill().unwrap();
    let (log, status) = (reading.join().unwrap(), process.wait().unwrap());
    let lines: Vec<serde_json::Value> = log.split(|byte| *byte == b'\n').flat_map(serde_json::from_slice).collect();
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    let noise = messages.iter().filter(|message| message.starts_with('x')).count();
    let reports = messages.iter().filter(|message| **message == "REPORT").count();
    assert_eq!((noise, reports), (RECORDS * NOISE_LOGGED, RECORDS), "{status}");
}

#[test]
fn an_environment_whose_log_is_closed_handles_events_and_ends() {
    let (mut process, api, _package, _project) = environment();
    drop(process.stderr.take());
    assert_guest_faults(&api);
    assert_guest_faults(&api);
    let id = process.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}
