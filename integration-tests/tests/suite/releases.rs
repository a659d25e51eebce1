//! Releases by the command: aliases, rollback, history, differences, and removal.

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project};
use serde_json::{Value, json};

/// A guest of each kind, and of each way to be loaded.
const GUESTS: [&str; 8] =
    ["nth-prime", "environment", "echo-component", "command3", "http-hello", "http3-hello", "typed-all", "typed-async"];

/// A store with a function `scale`, and the commands that are run on it.
struct Releases {
    nebula: Nebula,
    project: Project,
}

impl Releases {
    /// A store with versions that multiply by these factors.
    fn of(factors: &[u32]) -> Self {
        let releases = Self { nebula: Nebula::built(), project: Project::new([]) };
        factors.iter().for_each(|factor| releases.publish(*factor, &[]));
        releases
    }

    fn publish(&self, factor: u32, options: &[&str]) {
        let module = format!(
            "(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))"
        );
        self.project.write("scale.wat", module);
        self.text(&[&["publish", "scale", "scale.wat"], options].concat());
    }

    fn run(&self, arguments: &[&str]) -> ProcessOutput {
        let mut command = self.nebula.command(&self.project, arguments);
        command.env("USER", "ada").output().unwrap().into()
    }

    /// What a command prints that succeeds.
    fn text(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect_success().text()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// The exit code of a command that fails, and what it says.
    fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let ran = self.run(arguments);
        (ran.exit_code, ran.stderr)
    }

    fn assert_refused(&self, arguments: &[&str], code: i32, expected: &str) {
        let (exit_code, said) = self.failure(arguments);
        assert!(exit_code == code && said.contains(expected), "{arguments:?}: {exit_code} {said}");
    }
}

#[test]
fn an_alias_is_made_moved_rolled_back_and_removed() {
    let releases = Releases::of(&[10, 20, 30]);
    let steps: [(&[&str], &str, &str); 9] = [
        (&["alias", "scale", "prod", "1"], "scale@prod: none -> 1\n", "10\n"),
        (&["alias", "scale", "prod", "1"], "unchanged: scale@prod: 1\n", "10\n"),
        (&["alias", "scale", "prod", "2"], "scale@prod: 1 -> 2\n", "20\n"),
        (&["alias", "scale", "prod", "3"], "scale@prod: 2 -> 3\n", "30\n"),
        (&["rollback", "scale", "prod"], "scale@prod: 3 -> 2\n", "20\n"),
        (&["rollback", "scale"], "scale@prod: 2 -> 1\n", "10\n"),
        (&["rollback", "scale"], "unchanged: scale@prod: 1, and there is nothing earlier to go back to\n", "10\n"),
        (&["alias", "scale", "prod", "--remove"], "scale@prod: 1 -> none\n", ""),
        (&["rollback", "scale", "prod"], "scale@prod: none -> 1\n", "10\n"),
    ];
    for (arguments, expected, answer) in steps {
        assert_eq!(releases.text(arguments), expected, "{arguments:?}");
        assert_eq!(releases.run(&["run", "scale@prod", "1"]).text(), answer, "{arguments:?}");
    }
    let moved = releases.json(&["alias", "scale", "prod", "2=95", "3=5", "--sticky", "X-User"]);
    let weighted = json!({ "weights": { "2": 95, "3": 5 }, "sticky": "x-user" });
    let expected = json!({ "alias": "prod", "from": { "weights": { "1": 1 } }, "to": weighted, "changed": true });
    assert_eq!(moved, expected);
    let shown = releases.text(&["alias", "scale"]);
    assert!(shown.starts_with("ALIAS  VERSION") && shown.contains("prod   2=95 3=5 by x-user  20"), "{shown}");
    assert_eq!(releases.json(&["list"])[0]["targets"]["prod"], weighted);
    assert!(releases.text(&["list"]).contains("  prod: 2=95 3=5 by x-user  "));
}

#[test]
fn a_configuration_comes_back_with_its_version() {
    let releases = Releases::of(&[]);
    let configured = |timeout: &str| {
        let config = format!("[functions.scale]\nsource = \"scale.wat\"\ntimeout = \"{timeout}\"\n");
        releases.project.write("nebula.toml", config);
        releases.publish(10, &["--config", "nebula.toml", "--alias", "prod"]);
    };
    configured("1s");
    configured("2s");
    let timeout = || releases.json(&["inspect", "scale@prod"])["limits"]["timeout_ms"].clone();
    assert_eq!(timeout(), 2_000);
    releases.text(&["rollback", "scale"]);
    assert_eq!(timeout(), 1_000);
}

#[test]
fn what_cannot_be_done_says_what_can() {
    let releases = Releases::of(&[10, 20]);
    releases.project.write("scale.wat", "(module (func $f unreachable) (start $f) (func (export \"scale\")))");
    releases.text(&["publish", "scale", "scale.wat"]);
    releases.assert_refused(&["rollback", "scale"], 65, "`nebula alias scale prod VERSION` makes one");
    releases.assert_refused(&["alias", "scale", "prod", "3"], 65, "version 3 cannot be run");
    releases.assert_refused(&["alias", "scale", "prod", "9"], 66, "function scale has no version 9");
    releases.assert_refused(&["alias", "scale", "prod", "--remove"], 66, "`nebula alias scale` shows those there are");
    releases.assert_refused(&["alias", "scale", "prod"], 66, "nebula alias scale prod VERSION makes it");
    releases.assert_refused(&["alias", "other"], 66, "`nebula list` shows those there are");
    releases.assert_refused(&["alias", "scale", "latest", "1"], 2, "`nebula alias NAME prod VERSION`");
    releases.assert_refused(&["rollback", "scale", "latest"], 2, "it always names the newest version");
    releases.assert_refused(&["alias", "scale", "prod", "1", "2=1"], 2, "give each version its weight");
    for alias in ["prod", "beta"] {
        releases.text(&["alias", "scale", alias, "2"]);
    }
    releases.assert_refused(&["rollback", "scale"], 65, "several aliases: beta, prod; name one");
    releases.assert_refused(&["rm", "scale@2"], 65, "the aliases beta, prod, which point to it");
    releases.assert_refused(&["rm", "scale@latest"], 2, "is not the number of a version");
    releases.assert_refused(&["rm", "scale@7"], 66, "`nebula inspect scale` shows the versions");
    releases.assert_refused(&["diff", "scale@1", "scale@7"], 66, "function scale has no version 7");
    releases.assert_refused(&["history", "other"], 66, "there is no function other");
}

#[test]
fn the_history_shows_who_changed_what_also_after_a_removal() {
    let releases = Releases::of(&[10]);
    releases.publish(20, &["--alias", "prod"]);
    assert_eq!(releases.text(&["rm", "scale@1"]), "removed scale version 1; the latest is version 2\n");
    let removed = "removed scale version 2; no version is left\nscale@prod: 2 -> none\n";
    assert_eq!(releases.text(&["rm", "scale", "--force"]), removed);
    let (code, said) = releases.failure(&["run", "scale", "1"]);
    assert!(code == 66 && said.contains("as `nebula history scale` shows; publish it again"), "{said}");
    assert_eq!(releases.json(&["list"]), json!([]));
    assert!(releases.run(&["list"]).stderr.contains("all are removed"));

    let history = releases.json(&["history", "scale"]);
    let entries = history.as_array().unwrap();
    let change = |entry: &Value| (entry["change"].as_str().unwrap().to_owned(), entry["version"].as_u64());
    let mut changes: Vec<_> = entries.iter().map(change).collect();
    changes.sort();
    let expected = [
        ("alias", None),
        ("alias", None),
        ("published", Some(1)),
        ("published", Some(2)),
        ("removed", Some(1)),
        ("removed", Some(2)),
    ];
    assert_eq!(changes, expected.map(|(change, version)| (change.to_owned(), version)));
    assert!(entries.iter().all(|entry| entry["by"].as_str().unwrap().starts_with("ada")), "{history}");
    let shown = releases.text(&["history", "scale"]);
    assert!(shown.starts_with("WHEN") && shown.contains("prod: 2 -> none\n"), "{shown}");

    releases.publish(30, &[]);
    assert_eq!(releases.json(&["inspect", "scale"])["version"], 3, "a number is not used again");
}

#[test]
fn a_new_grant_stands_out_in_the_difference_of_two_versions() {
    let releases = Releases::of(&[10]);
    let config = "[functions.scale]\nsource = \"scale.wat\"\ntimeout = \"2s\"\nallow_hosts = [\"api.example.com\"]\n";
    releases.project.write("nebula.toml", config);
    releases.project.write("scale.wat", "(module (func (export \"twice\") (param i32) (result i32) (local.get 0)))");
    releases.text(&["publish", "scale", "scale.wat", "--config", "nebula.toml"]);
    let shown = releases.text(&["diff", "scale@1", "scale"]);
    let mut lines = shown.lines();
    assert_eq!(lines.next(), Some("scale version 1 -> scale version 2"));
    assert_eq!(lines.next().map(str::trim_start), Some("NEW GRANT       requests to api.example.com"));
    for expected in
        ["limits.timeout  not set -> \"2s\"", "export gone     scale(i32) -> i32", "new export      twice(i32) -> i32"]
    {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let difference = releases.json(&["diff", "scale@1", "scale@2"]);
    assert_eq!(difference["grants"], json!({ "added": ["requests to api.example.com"], "removed": [] }));
    assert_eq!(releases.text(&["diff", "scale@2", "scale"]), "scale version 2 -> scale version 2\n  no difference\n");
}

#[test]
fn an_alias_can_point_to_a_guest_of_every_kind() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    for guest in GUESTS {
        let source = Guest::named(guest).unwrap().path;
        let _ = nebula.publish(&project, guest, &source, &[]).expect_success();
        let moved = nebula.run(&project, &["alias", guest, "prod", "1"], b"").expect_success();
        assert_eq!(moved.text(), format!("{guest}@prod: none -> 1\n"));
    }
}
