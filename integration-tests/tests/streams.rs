//! `nebula run FUNCTION` as a part of a pipe: a line in, a line out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
    thread,
};

use nebula_integration_tests::{Guest, Nebula, Project, Ran};

fn run(guest: &str, options: &[&str], stdin: &str) -> Ran {
    let file = Guest::named(guest).unwrap().path;
    let arguments = [&["run", file.to_str().unwrap()], options].concat();
    Nebula::built().run(&Project::new([]), &arguments, stdin.as_bytes())
}

fn numbers(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("{number}\n")).collect()
}

#[test]
fn results_are_in_the_order_of_their_events_however_many_run_at_once() {
    for jobs in ["1", "2", "16"] {
        let ran = run("treats", &["--jobs", jobs], &numbers(0..5_000)).successful();
        assert!(ran.text() == numbers(0..5_000), "{jobs} jobs");
        assert!(ran.stderr.starts_with("5000 events, 0 failed, "), "{}", ran.stderr);
    }
}

#[test]
fn guests_of_many_parts_run_as_many_at_once_as_others() {
    let counts = "5000000\n".repeat(32);
    for jobs in ["1", "16"] {
        let ran = run("typed-parts", &["--jobs", jobs], &counts).successful();
        assert!(ran.text() == counts, "{jobs} jobs: {ran:#?}");
    }
}

#[test]
fn each_event_has_an_instance_to_itself() {
    assert_eq!(run("counter", &["--jobs", "2"], &"null\n".repeat(50)).successful().text(), "1\n".repeat(50));
}

#[test]
fn a_bad_line_is_its_own_failure_and_the_stream_goes_on() {
    let ran = run("treats", &[], "1\n\nten\n[2]\n{}\n3");
    let lines: Vec<_> = ran.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 5, "{ran:#?}");
    assert_eq!((lines[0].as_str(), lines[2].as_str(), lines[4].as_str()), ("1", "2", "3"));
    let not_json = r#"{"error":{"kind":"invalid_input","detail":"line 3 is not a JSON value: "#;
    let not_numbers = r#"{"error":{"kind":"invalid_input","detail":"expected a JSON number or an array of numbers: "#;
    assert!(lines[1].starts_with(not_json) && lines[3].starts_with(not_numbers), "{ran:#?}");
    assert_eq!(ran.exit_code, 65);
    assert!(ran.stderr.contains("5 events, 2 failed, "), "{}", ran.stderr);
}

#[test]
fn the_exit_code_is_that_of_the_first_event_that_failed() {
    let ran = run("exit-code", &["--jobs", "2"], "0\n7\n1\n0\n");
    assert_eq!(ran.exit_code, 7, "{ran:#?}");
    let failure = |code| {
        format!("{{\"error\":{{\"kind\":\"guest_fault\",\"detail\":\"the function exited with code {code}\"}}}}")
    };
    assert_eq!(ran.text(), format!("\"\"\n{}\n{}\n\"\"\n", failure(7), failure(1)));
}

#[test]
fn no_events_are_no_results() {
    let ran = run("treats", &[], "").successful();
    assert_eq!(ran.text(), "");
    assert!(ran.stderr.starts_with("0 events, 0 failed, "), "{}", ran.stderr);
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    let file = Guest::named("treats").unwrap().path;
    let mut command = nebula.command(&project, ["run", file.to_str().unwrap()]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    // Without end, until nobody takes it any more.
    let writing = thread::spawn(move || while stdin.write_all(b"10\n").is_ok() {});
    let mut first = String::new();
    BufReader::new(stdout).read_line(&mut first).unwrap();
    let ran = Ran::from(process.wait_with_output().unwrap());
    writing.join().unwrap();
    assert_eq!((first.as_str(), ran.exit_code, ran.stderr.as_str()), ("10\n", 0, ""));
}
