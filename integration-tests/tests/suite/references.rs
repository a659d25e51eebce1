//! Invalid references to functions, through every command.

use nebula_integration_tests::{Nebula, Project, Server};
use serde_json::json;

/// Invalid references, each with a part of the error's message.
fn invalid_references() -> [(String, &'static str); 8] {
    let expected = "expected 1 to 63 of a-z, 0-9 and -, starting with a letter";
    [
        ("a".repeat(64), expected),
        ("a".repeat(10_000), expected),
        ("Treats".to_owned(), expected),
        ("1treats".to_owned(), expected),
        ("treats:".to_owned(), "the export after ':' is empty"),
        ("treats@".to_owned(), "invalid version \"\": expected a number from 1, an alias, or sha256:"),
        ("treats@0".to_owned(), "invalid version \"0\": expected a number from 1, an alias, or sha256:"),
        (
            "treats@sha256:ab".to_owned(),
            "invalid version \"sha256:ab\": expected a number from 1, an alias, or sha256:",
        ),
    ]
}

#[test]
fn a_server_answers_404_to_an_invalid_reference() {
    let project = Project::new([]);
    let server = Server::start(&Nebula::built(), &project, &[]).unwrap();
    for (reference, expected) in invalid_references() {
        let response = server.get(&format!("/api/{reference}/1"));
        let problem: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, &problem["kind"]), (404, &json!("not_found")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{problem}");
        assert!(response.body.len() < 1_000, "the error repeats only a part of a long name");
    }
}

#[test]
fn run_and_inspect_refuse_an_invalid_reference() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    for (reference, expected) in invalid_references() {
        for command in [["run", &reference, "1"], ["inspect", &reference, "--json"]] {
            let output = nebula.run(&project, &command, b"");
            assert_eq!(output.exit_code, 2, "{output:#?}");
            assert!(output.stderr.contains(expected), "{output:#?}");
        }
    }
}

#[test]
fn publish_refuses_an_invalid_name() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    project.write("f.wat", "(module (func (export \"f\")))");
    for (name, expected) in invalid_references().into_iter().take(4) {
        let output = nebula.run(&project, &["publish", &name, "f.wat"], b"");
        assert_eq!(output.exit_code, 2, "{output:#?}");
        assert!(output.stderr.contains(expected), "{output:#?}");
    }
    let reserved = nebula.run(&project, &["publish", "f", "f.wat", "--alias", "latest"], b"");
    assert_eq!(reserved.exit_code, 2, "{reserved:#?}");
    // Nothing has made a store so far.
    assert_eq!(nebula.run(&project, &["list", "--json"], b"").exit_code, 66);
}
