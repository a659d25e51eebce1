//! `nebula run FILE`: options that replace the configuration of a published function, and access to granted folders.

use std::{fs, os::unix::fs::symlink};

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project};
use serde_json::{Value, json};

/// Runs a guest with `nebula run FILE`.
fn run(project: &Project, guest: &str, options: &[&str], stdin: &str) -> ProcessOutput {
    let file = Guest::named(guest).unwrap().path;
    Nebula::built().run(project, &[&["run", file.to_str().unwrap()], options].concat(), stdin.as_bytes())
}

fn json(output: ProcessOutput) -> Value {
    serde_json::from_slice(&output.expect_success().stdout).unwrap()
}

#[test]
fn a_core_module_takes_negative_numbers_as_arguments() {
    let project = Project::new([]);
    let calls: [(&str, &[&str], &str); 5] = [
        ("add", &["2", "3"], "5\n"),
        ("add", &["-2", "-3"], "-5\n"),
        ("add", &["--", "-2", "3"], "1\n"),
        ("calc", &["--export", "mul", "6", "7"], "42\n"),
        ("treats", &["10", "--output", "body"], "10\n"),
    ];
    for (guest, options, expected) in calls {
        assert_eq!(run(&project, guest, options, "").expect_success().text(), expected, "{guest} {options:?}");
    }
}

#[test]
fn a_guest_gets_only_the_variables_and_arguments_of_the_command_line() {
    let project = Project::new([]);
    let options = ["--env", "A=1", "--env", "B=x=y", "--raw", "--", "--name", "Ada L."];
    let output = json(run(&project, "environment", &options, ""));
    let expected = json!({ "arguments": ["environment", "--name", "Ada L."], "environment": { "A": "1", "B": "x=y" } });
    assert_eq!(output, expected);
}

#[test]
fn a_granted_folder_is_read_only_by_default() {
    let project = Project::new([]);
    project.write("data/a.txt", "the text of a");
    let files = |dir: &str, request: &str| json(run(&project, "files", &["--dir", dir, "--raw"], request));
    let refused = json!({ "error": "Operation not permitted (os error 63)" });
    assert_eq!(files("data::/data", r#"["read", "/data/a.txt"]"#), json!({ "text": "the text of a" }));
    assert_eq!(files("data::/data", r#"["write", "/data/a.txt", "new"]"#), refused);
    assert_eq!(fs::read_to_string(project.join("data/a.txt")).unwrap(), "the text of a");
    assert_eq!(files("data::/data:rw", r#"["write", "/data/a.txt", "new"]"#), json!({ "written": 3 }));
    assert_eq!(fs::read_to_string(project.join("data/a.txt")).unwrap(), "new");
}

#[test]
fn a_link_does_not_lead_out_of_a_granted_folder() {
    let project = Project::new([]);
    project.write("secret.txt", "not for guests");
    project.write("data/a.txt", "a");
    symlink("../secret.txt", project.join("data/relative")).unwrap();
    symlink(project.join("secret.txt"), project.join("data/absolute")).unwrap();
    symlink("..", project.join("data/up")).unwrap();
    for path in ["relative", "absolute", "up/secret.txt", "../secret.txt", "up/data/../secret.txt"] {
        let request = json!(["read", format!("/data/{path}")]).to_string();
        let output = json(run(&project, "files", &["--dir", "data::/data:rw", "--raw"], &request));
        assert!(output["error"].is_string() && !output.to_string().contains("not for guests"), "{path}: {output}");
        let request = json!(["write", format!("/data/{path}"), "changed"]).to_string();
        let output = json(run(&project, "files", &["--dir", "data::/data:rw", "--raw"], &request));
        assert!(output["error"].is_string(), "{path}: {output}");
    }
    assert_eq!(fs::read_to_string(project.join("secret.txt")).unwrap(), "not for guests");
}

#[test]
fn the_error_names_a_granted_folder_that_is_missing() {
    let project = Project::new([]);
    let output = run(&project, "files", &["--dir", "gone::/data", "--raw"], "[]");
    assert_eq!(output.exit_code, 78, "{output:#?}");
    assert!(output.stderr.contains("the folder gone cannot be granted: No such file or directory"), "{output:#?}");
}

#[test]
fn memory_time_request_and_response_are_limited() {
    let project = Project::new([]);
    assert_eq!(run(&project, "grow", &["--memory", "1MiB", "16"], "").expect_success().text(), "1\n");
    let calls: [(&str, &[&str], &str, i32, &str); 4] = [
        ("spin", &["--timeout", "100ms", "--raw"], "", 124, "timeout: the function did not end within 100ms"),
        (
            "memory-growth",
            &["--memory", "8MiB", "--raw"],
            "",
            137,
            "limit_exceeded: the function exceeded its memory limit",
        ),
        (
            "echo",
            &["--max-request", "1KiB", "--raw"],
            &"x".repeat(1025),
            65,
            "payload_too_large: the request is larger",
        ),
        (
            "echo",
            &["--max-response", "1KiB", "--raw"],
            &"x".repeat(1025),
            137,
            "limit_exceeded: the function wrote more",
        ),
    ];
    for (guest, options, stdin, code, expected) in calls {
        let output = run(&project, guest, options, stdin);
        assert_eq!(output.exit_code, code, "{output:#?}");
        assert!(output.stderr.contains(&format!("error: {expected}")), "{output:#?}");
    }
}

#[test]
fn options_for_a_file_are_refused_for_a_published_function() {
    let project = Project::new([]);
    for option in [["--env", "A=1"], ["--memory", "1MiB"], ["--timeout", "1s"], ["--export", "f"]] {
        let output = Nebula::built().run(&project, &[&["run", "treats", "10"], &option[..]].concat(), b"");
        assert_eq!(output.exit_code, 2, "{output:#?}");
        assert!(output.stderr.contains(&format!("error: {} is for a FILE", option[0])), "{output:#?}");
    }
}
