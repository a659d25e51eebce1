//! Publishing: versions, aliases and digests, and what a server that runs sees of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use http::Request;
use nebula_integration_tests::{Nebula, Project, Ran, Server};
use nebula_runtime::{Store, StoreUrl, store::AliasTarget};
use serde_json::{Value, json};

/// A store with a function `scale` that multiplies by what its version says.
struct Scale {
    nebula: Nebula,
    project: Project,
}

impl Scale {
    fn new() -> Self {
        Self { nebula: Nebula::built(), project: Project::new([]) }
    }

    /// Publishes a version that multiplies by `factor`.
    fn publish(&self, factor: u32, options: &[&str]) -> Value {
        let module = format!(
            "(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))"
        );
        self.project.write("scale.wat", module);
        let published = self.nebula.publish(
            &self.project,
            "scale",
            &self.project.join("scale.wat"),
            &[&["--json"], options].concat(),
        );
        serde_json::from_slice(&published.successful().stdout).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.nebula.run(&self.project, arguments, b"")
    }

    fn server(&self) -> Server {
        Server::start(&self.nebula, &self.project, &[]).unwrap()
    }
}

#[test]
fn a_version_is_called_by_number_alias_and_digest_over_http_and_in_a_shell() {
    let scale = Scale::new();
    let first = scale.publish(10, &["--alias", "prod"]);
    let second = scale.publish(20, &[]);
    assert_eq!((&first["version"], &second["version"]), (&json!(1), &json!(2)));
    let server = scale.server();
    let by_digest = |info: &Value| format!("scale@{}", info["digest"].as_str().unwrap());
    let calls = [
        ("scale".to_owned(), "20", 2),
        ("scale@latest".to_owned(), "20", 2),
        ("scale@1".to_owned(), "10", 1),
        ("scale@2".to_owned(), "20", 2),
        ("scale@prod".to_owned(), "10", 1),
        ("scale:scale@prod".to_owned(), "10", 1),
        (by_digest(&first), "10", 1),
        (by_digest(&second), "20", 2),
    ];
    for (reference, result, version) in calls {
        let answered = server.get(&format!("/api/{reference}/1"));
        assert_eq!((answered.status, answered.text().as_str()), (200, result), "{reference}");
        let report = server.report(answered.header("nebula-invocation-id").unwrap());
        // The newest version is what a reference without a version means, and how one is written.
        let written = reference.trim_end_matches("@latest");
        assert_eq!((&report["function"], &report["version"]), (&json!(written), &json!(version)));
        assert_eq!(scale.run(&["run", &reference, "1"]).successful().text(), format!("{result}\n"), "{reference}");
    }
}

#[test]
fn publishing_the_same_again_changes_nothing_and_says_so() {
    let scale = Scale::new();
    let first = scale.publish(10, &[]);
    let again = scale.publish(10, &[]);
    assert_eq!((&first["changed"], &again["changed"]), (&json!(true), &json!(false)));
    assert_eq!((&first["version"], &again["version"]), (&json!(1), &json!(1)));
    let said = scale.run(&["publish", "scale", "scale.wat"]).successful().text();
    assert!(said.starts_with("unchanged: scale version 1 (sha256:"), "{said}");
}

#[test]
fn an_alias_moves_with_a_publish_that_names_it() {
    let scale = Scale::new();
    scale.publish(10, &["--alias", "prod"]);
    scale.publish(20, &["--alias", "prod"]);
    scale.publish(30, &[]);
    assert_eq!(scale.run(&["run", "scale@prod", "1"]).successful().text(), "20\n");
}

#[test]
fn inspect_says_when_and_by_whom_each_version_was_published() {
    let scale = Scale::new();
    let publish = |user: &str, factor: u32| {
        let module = format!("(module (func (export \"scale\") (result i32) (i32.const {factor})))");
        scale.project.write("scale.wat", module);
        let mut publish = scale.nebula.command(&scale.project, ["publish", "scale", "scale.wat"]);
        let _ = Ran::from(publish.env("USER", user).output().unwrap()).successful();
    };
    publish("ada", 10);
    publish("grace", 20);
    publish("alan", 20);
    let inspected: Value =
        serde_json::from_slice(&scale.run(&["inspect", "scale", "--json"]).successful().stdout).unwrap();
    let by = |version: &Value| version["published_by"].as_str().unwrap().split('@').next().map(str::to_owned).unwrap();
    let versions: Vec<_> = inspected["versions"].as_array().unwrap().iter().map(by).collect();
    assert_eq!(versions, ["grace", "ada"], "publishing the same again changes nothing");

    let record = scale.project.join("store/functions/scale.json");
    let mut dated: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    dated["versions"]["1"]["published_at"] = json!("2026-01-31T12:00:00Z");
    dated["versions"]["1"]["published_by"] = json!("ada@laptop");
    fs::write(&record, dated.to_string()).unwrap();
    let shown = scale.run(&["inspect", "scale"]).successful().text();
    assert!(shown.contains(", published 2026-01-31T12:00:00Z by ada@laptop\n"), "{shown}");
}

#[tokio::test]
async fn a_weighted_alias_keeps_a_user_at_one_version_over_http() {
    let scale = Scale::new();
    scale.publish(10, &[]);
    scale.publish(20, &[]);
    let store = Store::open(&StoreUrl::folder(&scale.project.join("store")).unwrap()).await.unwrap();
    let target = AliasTarget::weighted([(1, 1), (2, 1)]).unwrap().sticky("x-user".parse().unwrap());
    let (function, prod) = ("scale".parse().unwrap(), "prod".parse().unwrap());
    assert!(store.set_alias(&function, &prod, Some(target), None).await.unwrap());
    let server = scale.server();
    let answer = |user: &str| {
        let request = Request::get("/api/scale@prod/1").header("x-user", user).body(()).unwrap();
        server.send(request).text()
    };
    let answers: BTreeSet<_> = (0..16)
        .map(|user| {
            let answers: BTreeSet<_> = (0..4).map(|_| answer(&format!("user-{user}"))).collect();
            assert_eq!(answers.len(), 1, "user {user}");
            answers.into_iter().next().unwrap()
        })
        .collect();
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), ["10", "20"]);
}

#[test]
fn the_server_lists_what_the_command_lists() {
    let scale = Scale::new();
    scale.publish(10, &["--alias", "prod"]);
    let mut listed: Value = serde_json::from_slice(&scale.run(&["list", "--json"]).successful().stdout).unwrap();
    // How it is run may hold secrets, and is shown to those alone who can read the store.
    assert_eq!(listed[0].as_object_mut().unwrap().remove("config"), Some(json!({ "limits": {} })));
    let served: Value = serde_json::from_slice(&scale.server().get("/").body).unwrap();
    assert_eq!(served, json!({ "functions": listed }));
    assert_eq!(listed[0]["exports"], json!([{ "name": "scale", "params": ["i32"], "results": ["i32"] }]));
}

#[test]
fn a_running_server_serves_a_publish_within_two_seconds_without_a_failed_request() {
    let scale = Scale::new();
    scale.publish(10, &[]);
    let server = scale.server();
    let published = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while server.get("/api/scale/1").text() != "10" {}
            scale.publish(20, &[]);
            published.store(true, Ordering::SeqCst);
        });
        let mut since = None;
        loop {
            // What counts is when a request was sent: how long an answer takes is a matter of the machine.
            let (was_published, sent) = (published.load(Ordering::SeqCst), Instant::now());
            if was_published {
                since.get_or_insert(sent);
            }
            let answered = server.get("/api/scale/1");
            assert_eq!(answered.status, 200, "{}", answered.text());
            match answered.text().as_str() {
                "20" => break,
                "10" => {
                    assert!(since.is_none_or(|since| sent - since < Duration::from_secs(2)), "still the old version")
                }
                other => panic!("neither version answers {other}"),
            }
        }
    });
}

#[test]
fn a_running_server_serves_a_function_that_is_new() {
    let scale = Scale::new();
    let server = scale.server();
    assert_eq!(server.get("/api/scale/1").status, 404);
    scale.publish(10, &[]);
    let published = Instant::now();
    loop {
        let sent = Instant::now();
        match server.get("/api/scale/1").status {
            200 => break,
            status => assert!(status == 404 && sent - published < Duration::from_secs(2), "{status}"),
        }
    }
}
