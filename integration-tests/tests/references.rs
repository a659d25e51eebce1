//! Names that can be no function's, on every way in.

use nebula_integration_tests::{Nebula, Project, Server};
use serde_json::json;

/// What can be no reference to a function, and a part of what is said about it.
fn invalid() -> [(String, &'static str); 8] {
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
fn a_server_has_no_such_function() {
    let project = Project::new([]);
    let server = Server::start(&Nebula::built(), &project, &[]).unwrap();
    for (reference, expected) in invalid() {
        let answered = server.get(&format!("/api/{reference}/1"));
        let problem: serde_json::Value = serde_json::from_slice(&answered.body).unwrap();
        assert_eq!((answered.status, &problem["kind"]), (404, &json!("not_found")), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(expected), "{problem}");
        assert!(answered.body.len() < 1_000, "a hostile name is not repeated whole");
    }
}

#[test]
fn run_and_inspect_say_what_a_name_is() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    for (reference, expected) in invalid() {
        for command in [["run", &reference, "1"], ["inspect", &reference, "--json"]] {
            let ran = nebula.run(&project, &command, b"");
            assert_eq!(ran.exit_code, 2, "{ran:#?}");
            assert!(ran.stderr.contains(expected), "{ran:#?}");
        }
    }
}

#[test]
fn publish_takes_no_such_name() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    project.write("f.wat", "(module (func (export \"f\")))");
    for (name, expected) in invalid().into_iter().take(4) {
        let ran = nebula.run(&project, &["publish", &name, "f.wat"], b"");
        assert_eq!(ran.exit_code, 2, "{ran:#?}");
        assert!(ran.stderr.contains(expected), "{ran:#?}");
    }
    let reserved = nebula.run(&project, &["publish", "f", "f.wat", "--alias", "latest"], b"");
    assert_eq!(reserved.exit_code, 2, "{reserved:#?}");
    // Nor is there a store yet, and reading makes none.
    assert_eq!(nebula.run(&project, &["list", "--json"], b"").exit_code, 66);
}
