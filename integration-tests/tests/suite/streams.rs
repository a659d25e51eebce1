//! `nebula run FUNCTION` in a pipe: each line of stdin is an event, each line of stdout a result.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
    thread,
};

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project, Server};

fn run(guest: &str, options: &[&str], stdin: &str) -> ProcessOutput {
    let file = Guest::named(guest).unwrap().path;
    let arguments = [&["run", file.to_str().unwrap()], options].concat();
    Nebula::built().run(&Project::new([]), &arguments, stdin.as_bytes())
}

fn lines_of_numbers(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("{number}\n")).collect()
}

#[test]
fn results_are_in_the_order_of_their_events_for_any_number_of_jobs() {
    for jobs in ["1", "2", "16"] {
        let output = run("treats", &["--jobs", jobs], &lines_of_numbers(0..5_000)).expect_success();
        assert!(output.text() == lines_of_numbers(0..5_000), "{jobs} jobs");
        assert!(output.stderr.starts_with("5000 events, 0 failed, "), "{}", output.stderr);
    }
}

#[test]
fn guests_of_many_instances_run_with_any_number_of_jobs() {
    let counts = "5000000\n".repeat(32);
    for jobs in ["1", "16"] {
        let output = run("typed-parts", &["--jobs", jobs], &counts).expect_success();
        assert!(output.text() == counts, "{jobs} jobs: {output:#?}");
    }
}

#[test]
fn each_event_has_its_own_instance() {
    assert_eq!(run("counter", &["--jobs", "2"], &"null\n".repeat(50)).expect_success().text(), "1\n".repeat(50));
}

#[test]
fn an_invalid_line_fails_alone_and_the_stream_continues() {
    let output = run("treats", &[], "1\n\nten\n[2]\n{}\n3");
    let lines: Vec<_> = output.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 5, "{output:#?}");
    assert_eq!((lines[0].as_str(), lines[2].as_str(), lines[4].as_str()), ("1", "2", "3"));
    let not_json = r#"{"error":{"kind":"invalid_input","detail":"line 3 is not a JSON value: "#;
    let not_numbers = r#"{"error":{"kind":"invalid_input","detail":"expected a JSON number or an array of numbers: "#;
    assert!(lines[1].starts_with(not_json) && lines[3].starts_with(not_numbers), "{output:#?}");
    assert_eq!(output.exit_code, 65);
    assert!(output.stderr.contains("5 events, 2 failed, "), "{}", output.stderr);
}

#[test]
fn the_exit_code_is_that_of_the_first_failed_event() {
    let output = run("exit-code", &["--jobs", "2"], "0\n7\n1\n0\n");
    assert_eq!(output.exit_code, 7, "{output:#?}");
    let failure = |code| {
        format!("{{\"error\":{{\"kind\":\"guest_fault\",\"detail\":\"the function exited with code {code}\"}}}}")
    };
    assert_eq!(output.text(), format!("\"\"\n{}\n{}\n\"\"\n", failure(7), failure(1)));
}

#[test]
fn no_events_give_no_results() {
    let output = run("treats", &[], "").expect_success();
    assert_eq!(output.text(), "");
    assert!(output.stderr.starts_with("0 events, 0 failed, "), "{}", output.stderr);
}

#[test]
fn nebula_exits_quietly_when_the_reader_closes_stdout() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    let file = Guest::named("treats").unwrap().path;
    let mut command = nebula.command(&project, ["run", file.to_str().unwrap()]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    // The writer stops when the process no longer reads stdin.
    let writing = thread::spawn(move || while stdin.write_all(b"10\n").is_ok() {});
    let mut first = String::new();
    BufReader::new(stdout).read_line(&mut first).unwrap();
    let output = ProcessOutput::from(process.wait_with_output().unwrap());
    writing.join().unwrap();
    assert_eq!((first.as_str(), output.exit_code, output.stderr.as_str()), ("10\n", 0, ""));
}

/// A component that counts its calls in a key-value store.
const COUNT: &str = r#"(component
    (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
        (export "bucket" (type $bucket (sub resource)))
        (type $failure (variant (case "no-such-store") (case "access-denied") (case "other" string)))
        (export "error" (type $error (eq $failure)))
        (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
    (alias export $store "bucket" (type $bucket))
    (alias export $store "error" (type $error))
    (import "wasi:keyvalue/atomics@0.2.0-draft2" (instance $atomics
        (alias outer 1 $bucket (type $bucket))
        (alias outer 1 $error (type $error))
        (export "increment" (func (param "bucket" (borrow $bucket)) (param "key" string) (param "delta" s64)
            (result (result s64 (error $error)))))))
    (core module $memory
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
    (core instance $memory (instantiate $memory))
    (core func $open (canon lower (func $store "open")
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core func $increment (canon lower (func $atomics "increment")
        (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
    (core module $guest
        (import "memory" "memory" (memory 1))
        (import "host" "open" (func $open (param i32 i32 i32)))
        (import "host" "increment" (func $increment (param i32 i32 i32 i64 i32)))
        (data (i32.const 0) "default")
        (func $succeeded (if (i32.load8_u (i32.const 64)) (then unreachable)))
        (func (export "count") (param i64) (result i64)
            (call $open (i32.const 0) (i32.const 7) (i32.const 64)) (call $succeeded)
            (call $increment (i32.load (i32.const 68)) (i32.const 0) (i32.const 1) (i64.const 1) (i32.const 64))
            (call $succeeded)
            (i64.load (i32.const 72))))
    (core instance $guest (instantiate $guest
        (with "memory" (instance $memory))
        (with "host" (instance (export "open" (func $open)) (export "increment" (func $increment))))))
    (func (export "count") (param "event" s64) (result s64) (canon lift (core func $guest "count"))))"#;

/// A project whose function `count` counts its calls.
fn project_that_counts() -> Project {
    let project = Project::new([]);
    project.write("count.wat", COUNT);
    project.write("nebula.toml", "[functions.count]\nsource = \"count.wat\"\nkeyvalue = { default = \"state\" }\n");
    project
}

#[test]
fn processes_of_a_pipe_and_a_server_share_a_key_value_store_in_a_file() {
    let cases = [("{}", "store/services/state.redb"), (r#"{"state":{"keyvalue":"redb:data/kv"}}"#, "data/kv")];
    for (services, file) in cases {
        let nebula = Nebula::built().with_environment([("NEBULA_SERVICES", services.to_owned())]);
        let project = project_that_counts();
        let server = Server::start(&nebula, &project, &[]).unwrap();
        assert_eq!(server.get("/api/count/0").text(), "1", "{}", server.log());
        let pipe = "printf '%s\\n' 1 2 3 4 5 6 7 8 9 10 | \"$0\" \"$@\" | \"$0\" \"$@\"";
        let output = nebula.run_in_shell(pipe, &project, &["run", "count"]).expect_success();
        assert_eq!(output.text().lines().count(), 10, "{output:#?}");
        assert_eq!(server.get("/api/count/0").text(), "22", "{}", server.log());
        drop(server);
        assert_eq!(nebula.run(&project, &["run", "count", "0"], b"").expect_success().text(), "23\n");
        assert!(project.join(file).exists(), "{file}");
    }
}

/// `script` (util-linux) runs a command in a terminal, and keeps what the terminal is sent.
#[cfg(target_os = "linux")]
#[test]
fn a_long_stream_shows_on_the_terminal_how_far_it_has_come_and_its_output_stays_untouched() {
    use nebula_integration_tests::eventually;

    let project = Project::new([]);
    project.write("same.wat", "(module (func (export \"same\") (param i32) (result i32) (local.get 0)))");
    let script = "mkfifo events && script -q -e -f -c \"'$0' run same.wat <events >results\" terminal";
    let mut shell = Nebula::built().shell(script, &project, &[]).stdout(Stdio::null()).spawn().unwrap();
    eventually("a pipe for events", || project.join("events").exists().then_some(()));
    let mut events = std::fs::OpenOptions::new().write(true).open(project.join("events")).unwrap();
    events.write_all(b"7\n").unwrap();
    let terminal = || std::fs::read_to_string(project.join("terminal")).unwrap_or_default();
    eventually("a line about the stream", || terminal().contains("\r\x1b[K1 event, 0.0/s, 0 failed").then_some(()));
    drop(events);
    assert!(shell.wait().unwrap().success());
    assert!(terminal().contains("\r\x1b[K1 event, 0 failed, "), "{}", terminal());
    assert_eq!(std::fs::read_to_string(project.join("results")).unwrap(), "7\n");
}
