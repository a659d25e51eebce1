//! What functions keep in services, over the network.

use std::{io::Read as _, process::Stdio};

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project};
use serde_json::json;

use super::{
    Admin,
    commands::{command_with_token, timeless},
};
use crate::faults::support::{Client, eventually};

/// The services of a node that commands share: a file and a folder.
const SERVICES: &str = r#"{"state":{"keyvalue":"redb:data/state.redb"},"pictures":{"blobs":"folder:data/pictures"}}"#;

/// Commands with their input. The later ones find what the earlier ones wrote.
const COMMANDS: [(&[&str], &[u8]); 39] = [
    (&["kv", "list", "state"], b""),
    (&["kv", "list", "state", "--json"], b""),
    (&["kv", "get", "state", "a"], b""),
    (&["kv", "set", "state", "a", "one"], b""),
    (&["kv", "set", "state", "shop/\u{fc} b&c=d+e%2F", "two"], b""),
    (&["kv", "set", "state", "..", "dots"], b""),
    (&["kv", "set", "state", "shop//octets"], b"\0\xff\n"),
    (&["kv", "set", "state", "shop/none"], b""),
    (&["kv", "set", "state", "", "x"], b""),
    (&["kv", "get", "state", "a"], b""),
    (&["kv", "get", "state", "shop/\u{fc} b&c=d+e%2F"], b""),
    (&["kv", "get", "state", ".."], b""),
    (&["kv", "get", "state", "shop//octets"], b""),
    (&["kv", "get", "state", "shop/none"], b""),
    (&["kv", "list", "state"], b""),
    (&["kv", "list", "state", "--prefix", "shop/"], b""),
    (&["kv", "list", "state", "--json"], b""),
    (&["kv", "delete", "state", "a"], b""),
    (&["kv", "delete", "state", "a"], b""),
    (&["kv", "list", "state"], b""),
    (&["kv", "get", "nothing", "a"], b""),
    (&["kv", "get", "pictures", "a"], b""),
    (&["blobs", "list", "nothing"], b""),
    (&["blobs", "put", "state", "a"], b"of stdin"),
    (&["blobs", "list", "pictures"], b""),
    (&["blobs", "list", "pictures", "--json"], b""),
    (&["blobs", "get", "pictures", "none"], b""),
    (&["blobs", "get", "pictures", "none", "-o", "none"], b""),
    (&["blobs", "put", "pictures", "cats/tom.png", "film"], b""),
    (&["blobs", "put", "pictures", "../up & \u{fc}"], b"of stdin"),
    (&["blobs", "put", "pictures", "empty"], b""),
    (&["blobs", "put", "pictures", "gone", "gone"], b""),
    (&["blobs", "put", "pictures", "folder", "."], b""),
    (&["blobs", "get", "pictures", "../up & \u{fc}"], b""),
    (&["blobs", "get", "pictures", "cats/tom.png", "-o", "copy"], b""),
    (&["blobs", "list", "pictures"], b""),
    (&["blobs", "list", "pictures", "--prefix", "c", "--json"], b""),
    (&["blobs", "delete", "pictures", "empty"], b""),
    (&["blobs", "list", "pictures"], b""),
];

fn film() -> Vec<u8> {
    (0..700_000_u32).map(|number| number.to_le_bytes()[1]).collect()
}

#[test]
fn each_command_on_services_says_and_does_the_same_on_a_server_as_on_a_node() {
    let (here, there) = (Project::new([]), Project::new([]));
    here.write("film", film());
    there.write("film", film());
    let node = Nebula::built().with_environment([("NEBULA_SERVICES", SERVICES.to_owned())]);
    let admin = Admin::with(node.clone(), there, "127.0.0.1:0");
    let token = admin.token("data", &["--rights", "data"]);
    for (arguments, input) in COMMANDS {
        let on_node = node.run(&here, arguments, input);
        let on_server = admin.run_with_input(&token, arguments, input);
        let sorted = |output: &ProcessOutput| {
            let stdout = timeless(&output.text());
            let mut lines: Vec<_> = stdout.split_inclusive('\n').map(str::to_owned).collect();
            lines.sort_unstable();
            (output.exit_code, lines)
        };
        assert_eq!(sorted(&on_server), sorted(&on_node), "{arguments:?}\n{on_server:#?}\n{on_node:#?}");
        let said = on_server.stderr.trim_end();
        assert!(on_node.stderr.starts_with(said), "{arguments:?}\n{}\n{said}", on_node.stderr);
    }
    for project in [&here, &admin.project] {
        assert_eq!(std::fs::read(project.join("copy")).unwrap(), film());
        assert!(!project.join("none").exists() && !project.join("copy.unfinished").exists());
        assert_eq!(std::fs::read(project.join("data/pictures/cats%2F/tom.png")).unwrap(), film());
    }
}

#[test]
fn what_a_function_keeps_is_there_under_the_same_names() {
    let (visits, upload) = (Guest::named("visits").unwrap().path, Guest::named("upload").unwrap().path);
    let project = Project::new([]);
    let functions = format!(
        "[functions.visits]\nsource = {visits:?}\nkeyvalue.default = {{ service = \"state\", prefix = \"visits/\" }}\n\
         [functions.upload]\nsource = {upload:?}\nblobs = {{ files = \"pictures\" }}\n"
    );
    project.write("nebula.toml", functions);
    // The services of the tests are in the memory of the server: only the server reaches them.
    let admin = Admin::of(project, "127.0.0.1:0");
    let token = admin.token("data", &["--rights", "data"]);
    assert_eq!(admin.server.get("/api/visits:count/start").text(), "1");
    assert_eq!(admin.run(&token, &["kv", "get", "state", "visits/start"]).expect_success().text(), "1");
    let _ = admin.run(&token, &["kv", "set", "state", "visits/start", "41"]).expect_success();
    assert_eq!(admin.server.get("/api/visits:count/start").text(), "42");
    let put = http::Request::put("/api/upload/tom.txt").body("meow").unwrap();
    assert_eq!(admin.server.send(put).text(), "stored");
    assert_eq!(admin.run(&token, &["blobs", "get", "pictures", "tom.txt"]).expect_success().text(), "meow");
    let _ = admin.run_with_input(&token, &["blobs", "put", "pictures", "rex.txt"], b"woof").expect_success();
    assert_eq!(admin.server.get("/api/upload/rex.txt").text(), "woof");
}

#[test]
fn a_blob_whose_server_ends_in_the_middle_is_an_error_and_leaves_no_file() {
    const SIZE: usize = 48 << 20;

    let admin = Admin::start();
    let token = admin.token("data", &["--rights", "data"]);
    let _ = admin.run_with_input(&token, &["blobs", "put", "pictures", "film"], &vec![7; SIZE]).expect_success();
    let url = format!("http://{}", admin.address);
    let get = ["blobs", "get", "pictures", "film", "--server", &url];
    let mut to_pipe = command_with_token(&token).command(&admin.project, get);
    let mut to_pipe = to_pipe.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = to_pipe.stdout.take().unwrap();
    // The command reads no further than its own reader lets it write.
    stdout.read_exact(&mut [0]).unwrap();
    admin.server.signal("KILL");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let output = ProcessOutput::from(to_pipe.wait_with_output().unwrap());
    assert!(rest.len() < SIZE - 1, "{}", rest.len());
    assert!(output.exit_code == 69 && output.stderr.contains("broke the connection off"), "{output:#?}");
    let refused = command_with_token(&token).run(&admin.project, &[&get[..], &["-o", "film"]].concat(), b"");
    assert_eq!((refused.exit_code, admin.project.join("film").exists()), (69, false), "{refused:#?}");
}

/// Requests of services, each with its body.
const REQUESTS: [(&str, &str); 8] = [
    ("PUT /services/state/keyvalue/value?key=a", "secret-4711"),
    ("GET /services/state/keyvalue/value?key=a", ""),
    ("GET /services/state/keyvalue", ""),
    ("DELETE /services/state/keyvalue/value?key=a", ""),
    ("PUT /services/pictures/blobs/content?name=cats/tom.png", "secret-4711"),
    ("GET /services/pictures/blobs/content?name=cats/tom.png", ""),
    ("GET /services/pictures/blobs", ""),
    ("DELETE /services/pictures/blobs/content?name=cats/tom.png", ""),
];

#[test]
fn services_need_the_right_data_for_all_functions_and_each_change_is_noted_without_its_value() {
    let admin = Admin::start();
    let others = admin.token("others", &["--rights", "read,publish,alias,remove"]);
    let shop = admin.token("shop", &["--rights", "data", "--functions", "shop-*"]);
    let data = admin.token("data", &["--rights", "data", "--functions", "*"]);
    for (request, body) in REQUESTS {
        let refused = admin.send(&others, request, &[], body);
        assert_eq!(refused.failure(), (403, "forbidden".to_owned()), "{request}");
        assert!(refused.summary().1.contains("the token others does not have the right data"), "{refused:?}");
        let refused = admin.send(&shop, request, &[], body);
        assert_eq!(refused.failure(), (403, "forbidden".to_owned()), "{request}");
        assert!(refused.summary().1.contains("is for functions shop-* only"), "{refused:?}");
    }
    let refusals = 2 * REQUESTS.len();
    eventually("a line for each refusal", || (admin.audit().len() == refusals).then_some(()));
    for (request, body) in REQUESTS {
        let status = admin.send(&data, request, &[], body).status;
        assert_eq!(status, if request.starts_with("GET") { 200 } else { 204 }, "{request}");
    }
    eventually("a line for each change", || (admin.audit().len() >= refusals + 4).then_some(()));
    let events = admin.server.events();
    let lines: Vec<_> = events.iter().filter(|line| line["target"] == "nebula::audit").skip(refusals).collect();
    let shown = |line: &&serde_json::Value| {
        ["token", "action", "service", "key", "outcome", "detail"].map(|field| line[field].as_str().unwrap().to_owned())
    };
    let line = |action: &str, service: &str, key: &str, detail: &str| {
        ["data", action, service, key, "done", detail].map(str::to_owned)
    };
    let expected = [
        line("set_value", "state", "a", "11 bytes"),
        line("delete_value", "state", "a", "deleted"),
        line("put_blob", "pictures", "cats/tom.png", "11 bytes"),
        line("delete_blob", "pictures", "cats/tom.png", "deleted"),
    ];
    assert_eq!(lines.iter().map(shown).collect::<Vec<_>>(), expected);
    assert!(!admin.server.log().contains("secret-4711"));
}

#[test]
fn a_body_that_is_cut_damaged_or_too_large_changes_nothing() {
    let project = Project::new([]);
    project.write("nebula.toml", "[admin]\nmax_upload = \"1MB\"\n");
    let admin = Admin::of(project, "127.0.0.1:0");
    let token = admin.root();
    let places = [
        ("PUT /services/state/keyvalue/value?key=a", "GET /services/state/keyvalue/value?key=a", "set_value"),
        ("PUT /services/pictures/blobs/content?name=a", "GET /services/pictures/blobs/content?name=a", "put_blob"),
    ];
    // Of the bytes `(module)`.
    let digest = "content-digest: sha-256=:GIV3K5TKQbNg2b0HU1VH9MjvFsvn5J0sjpeAJH4mxN4=:";
    for (put, get, action) in places {
        assert_eq!(admin.send(&token, put, &[digest], "(module)").status, 204);
        let refused = admin.send(&token, put, &[digest], "(Module)");
        assert_eq!(refused.failure(), (400, "malformed".to_owned()), "{put}");
        let refused = admin.begin(&token, put, &[], 2 << 20).response().unwrap();
        assert_eq!(refused.failure(), (413, "too_large".to_owned()), "{put}");
        let mut chunked = Client::connect(&admin.address).unwrap();
        let head = format!("{put} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n");
        chunked.send(format!("{head}transfer-encoding: chunked\r\n\r\n100000\r\n{}\r\n", "x".repeat(1 << 20)));
        assert_eq!(chunked.response().unwrap().failure(), (413, "too_large".to_owned()), "{put}");
        let mut cut = admin.begin(&token, put, &[], 100_000);
        cut.send("x".repeat(90_000));
        assert_eq!(admin.send(&token, "GET /functions", &[], "").status, 200);
        drop(cut);
        let noted = ["root", action, "", "broken_off"].map(str::to_owned);
        eventually("the end of the upload in the audit", || admin.audit().contains(&noted).then_some(()));
        assert_eq!(admin.send(&token, get, &[], "").summary(), (200, "(module)".to_owned()), "{put}");
    }
}

#[test]
fn a_request_that_is_wrong_says_what_is_expected() {
    let admin = Admin::start();
    let token = admin.root();
    let long = "k".repeat(1025);
    let cases = [
        ("GET /services/State/keyvalue".to_owned(), 400, "invalid service name"),
        ("GET /services/state/keyvalue?limit=1".to_owned(), 400, "unknown field `limit`"),
        ("GET /services/state/keyvalue/value".to_owned(), 400, "missing field `key`"),
        (
            format!("GET /services/state/keyvalue/value?key={long}"),
            400,
            "key: expected 1 to 1024 bytes, and it has 1025",
        ),
        ("PUT /services/pictures/blobs/content?name=".to_owned(), 400, "name: expected 1 to 1024 bytes, and it has 0"),
        ("GET /services/state/keyvalue/value?key=none".to_owned(), 404, r#"service state has no key \"none\""#),
        ("GET /services/nothing/blobs".to_owned(), 404, "the node has no service nothing"),
        ("GET /services/state/blobs".to_owned(), 404, "service state keeps no blobs"),
        ("PATCH /services/state/keyvalue".to_owned(), 405, "PATCH is not allowed here"),
    ];
    for (request, status, expected) in cases {
        let refused = admin.send(&token, &request, &[], "");
        assert!(refused.status == status && refused.summary().1.contains(expected), "{request}: {refused:?}");
    }
    let described = admin.json(&token, "GET /openapi.json");
    assert_eq!(described["paths"]["/services/{service}/blobs/content"]["put"]["operationId"], json!("putBlob"));
}

#[test]
fn a_list_of_many_keys_comes_in_pages_and_one_of_many_blobs_on_lines() {
    let admin = Admin::start();
    let token = admin.root();
    for number in 0..30 {
        let (key, name) = (format!("k{number}"), format!("b/{number}"));
        let set = format!("PUT /services/state/keyvalue/value?key={key}");
        assert_eq!(admin.send(&token, &set, &[], "1").status, 204);
        let put = format!("PUT /services/pictures/blobs/content?name={name}");
        assert_eq!(admin.send(&token, &put, &[], "12").status, 204);
    }
    let keys = admin.json(&token, "GET /services/state/keyvalue?prefix=k1");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 11);
    let lines = admin.send(&token, "GET /services/pictures/blobs?prefix=b/2", &[], "");
    assert_eq!(lines.headers["content-type"], "application/jsonl");
    let text = lines.summary().1;
    let blobs: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(blobs.len() == 11 && blobs.iter().all(|blob| blob["size"] == 2), "{text}");
}
