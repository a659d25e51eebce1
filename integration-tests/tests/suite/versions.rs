//! Versions, aliases and digests, and when a running server serves a new version.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use http::Request;
use nebula_integration_tests::{Nebula, ProcessOutput, Project, Server};
use nebula_runtime::{AliasTarget, Store, StoreUrl};
use serde_json::{Value, json};

/// A store with a function `scale`, each version of which multiplies by its own factor.
struct ScaleStore {
    nebula: Nebula,
    project: Project,
}

impl ScaleStore {
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
        serde_json::from_slice(&published.expect_success().stdout).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> ProcessOutput {
        self.nebula.run(&self.project, arguments, b"")
    }

    fn server(&self) -> Server {
        Server::start(&self.nebula, &self.project, &[]).unwrap()
    }
}

#[test]
fn a_version_is_called_by_number_alias_and_digest_over_http_and_in_a_shell() {
    let scale = ScaleStore::new();
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
        let response = server.get(&format!("/api/{reference}/1"));
        assert_eq!((response.status, response.text().as_str()), (200, result), "{reference}");
        let report = server.report(response.header("nebula-invocation-id").unwrap());
        // `@latest` is the same as no version, and reports leave it out.
        let reported = reference.trim_end_matches("@latest");
        assert_eq!((&report["function"], &report["version"]), (&json!(reported), &json!(version)));
        assert_eq!(scale.run(&["run", &reference, "1"]).expect_success().text(), format!("{result}\n"), "{reference}");
    }
}

#[test]
fn publishing_the_same_module_again_changes_nothing_and_says_so() {
    let scale = ScaleStore::new();
    let first = scale.publish(10, &[]);
    let again = scale.publish(10, &[]);
    assert_eq!((&first["changed"], &again["changed"]), (&json!(true), &json!(false)));
    assert_eq!((&first["version"], &again["version"]), (&json!(1), &json!(1)));
    let output = scale.run(&["publish", "scale", "scale.wat"]).expect_success().text();
    assert!(output.starts_with("unchanged: scale version 1 (sha256:"), "{output}");
}

#[test]
fn a_publish_moves_only_the_alias_that_it_names() {
    let scale = ScaleStore::new();
    scale.publish(10, &["--alias", "prod"]);
    scale.publish(20, &["--alias", "prod"]);
    scale.publish(30, &[]);
    assert_eq!(scale.run(&["run", "scale@prod", "1"]).expect_success().text(), "20\n");
}

#[test]
fn inspect_says_when_and_by_whom_each_version_was_published() {
    let scale = ScaleStore::new();
    let publish = |user: &str, factor: u32| {
        let module = format!("(module (func (export \"scale\") (result i32) (i32.const {factor})))");
        scale.project.write("scale.wat", module);
        let mut publish = scale.nebula.command(&scale.project, ["publish", "scale", "scale.wat"]);
        let _ = ProcessOutput::from(publish.env("USER", user).output().unwrap()).expect_success();
    };
    publish("ada", 10);
    publish("grace", 20);
    publish("alan", 20);
    let inspected: Value =
        serde_json::from_slice(&scale.run(&["inspect", "scale", "--json"]).expect_success().stdout).unwrap();
    let by = |version: &Value| version["published_by"].as_str().unwrap().split('@').next().map(str::to_owned).unwrap();
    let versions: Vec<_> = inspected["versions"].as_array().unwrap().iter().map(by).collect();
    assert_eq!(versions, ["grace", "ada"], "publishing the same module again changes nothing");

    let record = scale.project.join("store/functions/scale.json");
    let mut dated: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    dated["versions"]["1"]["published_at"] = json!("2026-01-31T12:00:00Z");
    dated["versions"]["1"]["published_by"] = json!("ada@laptop");
    fs::write(&record, dated.to_string()).unwrap();
    let output = scale.run(&["inspect", "scale"]).expect_success().text();
    assert!(output.contains(", published 2026-01-31T12:00:00Z by ada@laptop\n"), "{output}");
}

#[tokio::test]
async fn a_sticky_weighted_alias_always_gives_a_user_the_same_version() {
    let scale = ScaleStore::new();
    scale.publish(10, &[]);
    scale.publish(20, &[]);
    let store = Store::open(&StoreUrl::folder(&scale.project.join("store")).unwrap()).await.unwrap();
    let target = AliasTarget::weighted([(1, 1), (2, 1)]).unwrap().sticky("x-user".parse().unwrap());
    let (function, prod) = ("scale".parse().unwrap(), "prod".parse().unwrap());
    assert!(store.set_alias(&function, &prod, Some(target), None).await.unwrap().changed());
    let server = scale.server();
    let result = |user: &str| {
        let request = Request::get("/api/scale@prod/1").header("x-user", user).body(()).unwrap();
        server.send(request).text()
    };
    let all_results: BTreeSet<_> = (0..16)
        .map(|user| {
            let results: BTreeSet<_> = (0..4).map(|_| result(&format!("user-{user}"))).collect();
            assert_eq!(results.len(), 1, "user {user}");
            results.into_iter().next().unwrap()
        })
        .collect();
    assert_eq!(all_results.into_iter().collect::<Vec<_>>(), ["10", "20"]);
}

#[test]
fn the_server_and_nebula_list_show_the_same_functions() {
    let scale = ScaleStore::new();
    scale.publish(10, &["--alias", "prod"]);
    let mut listed: Value = serde_json::from_slice(&scale.run(&["list", "--json"]).expect_success().stdout).unwrap();
    // A configuration may hold secrets. Only users who can read the store see it.
    assert_eq!(listed[0].as_object_mut().unwrap().remove("config"), Some(json!({ "limits": {} })));
    let served: Value = serde_json::from_slice(&scale.server().get("/").body).unwrap();
    assert_eq!(served, json!({ "functions": listed }));
    assert_eq!(listed[0]["exports"], json!([{ "name": "scale", "params": ["i32"], "results": ["i32"] }]));
}

#[test]
fn the_list_of_functions_names_their_grants_and_shows_no_value_of_them() {
    let configuration = r#"
        [functions.scale]
        source = "scale.wat"
        env = { LANG = "a secret", TOKEN = { env = "SECRET" } }
        config = { greeting = "a secret", cert = { file = "secret.pem" } }
        dirs = [{ host = "secrets", guest = "/data" }]
        allow_hosts = ["api.example.com"]
        connect = ["db.internal:5432"]
        blobs = { pictures = "pictures" }
        keyvalue.cart = { service = "state", prefix = "secret/", readonly = true, max_keys = 9 }
    "#;
    let scale = ScaleStore::new();
    scale.project.write("secrets/a.txt", "");
    scale.project.write("nebula.toml", configuration);
    scale.publish(10, &["--config", "nebula.toml"]);
    let server = Server::start(&scale.nebula, &scale.project, &[]).unwrap();
    let listed = server.get("/").text();
    let functions: Value = serde_json::from_str(&listed).unwrap();
    let grants = json!({
        "keyvalue": { "cart": { "service": "state", "readonly": true, "max_keys": 9 } },
        "blobs": { "pictures": "pictures" },
        "dirs": [{ "guest": "/data", "writable": false }],
        "env": ["LANG", "TOKEN"],
        "config": ["cert", "greeting"],
        "allow_hosts": ["api.example.com"],
        "connect": ["db.internal:5432"],
    });
    assert_eq!(functions["functions"][0]["grants"], grants, "{listed}");

    let page = server.send(Request::get("/").header("accept", "text/html").body(()).unwrap()).text();
    let shown = [
        "cart: service state, read, up to 9 keys",
        "pictures: service pictures, read and write",
        "/data, read",
        "LANG, TOKEN",
        "cert, greeting",
        "api.example.com",
        "db.internal:5432",
    ];
    for shown in shown {
        assert!(page.contains(&format!("<dd>{shown}</dd>")), "{shown}: {page}");
    }
    let hidden = [listed, page].map(|text| text.to_lowercase().contains("secret"));
    assert_eq!(hidden, [false; 2]);
}

#[test]
fn a_running_server_serves_a_new_version_within_two_seconds_and_no_request_fails() {
    let scale = ScaleStore::new();
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
            // The time of sending counts. How long the response takes depends on the machine.
            let (was_published, sent) = (published.load(Ordering::SeqCst), Instant::now());
            if was_published {
                since.get_or_insert(sent);
            }
            let response = server.get("/api/scale/1");
            assert_eq!(response.status, 200, "{}", response.text());
            match response.text().as_str() {
                "20" => break,
                "10" => {
                    assert!(
                        since.is_none_or(|since| sent - since < Duration::from_secs(2)),
                        "the old version is still served"
                    )
                }
                other => panic!("no version returns {other}"),
            }
        }
    });
}

#[test]
fn a_running_server_serves_a_new_function_within_two_seconds() {
    let scale = ScaleStore::new();
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
