//! Uploads that are cut, damaged, too large, or ask for too much.

use nebula_integration_tests::Project;
use serde_json::Value;

use super::{Admin, scale};
use crate::faults::support::{Client, Response, eventually};

const FORM: &str = "content-type: multipart/form-data; boundary=B";

/// A form with a configuration and a module.
fn form(config: &str, module: &str) -> String {
    let part = |name: &str, media_type: &str, text: &str| {
        format!(
            "--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\ncontent-type: {media_type}\r\n\r\n{text}\r\n"
        )
    };
    part("configuration", "application/json", config) + &part("module", "application/wasm", module) + "--B--\r\n"
}

fn detail(response: &Response) -> String {
    let problem: Value = serde_json::from_slice(&response.body).unwrap();
    problem["detail"].as_str().unwrap().to_owned()
}

#[test]
fn an_upload_that_is_cut_publishes_nothing_and_is_noted() {
    let admin = Admin::start();
    let token = admin.root();
    let module = scale(2);
    let mut client = admin.begin(&token, "PUT /functions/scale", &[], module.len());
    client.send(&module[..module.len() - 1]);
    assert_eq!(admin.send(&token, "GET /functions", &[], "").status, 200);
    drop(client);
    let cut = ["root", "publish", "scale", "broken_off"].map(str::to_owned);
    eventually("the end of the upload in the audit", || admin.audit().contains(&cut).then_some(()));
    assert_eq!(admin.send(&token, "GET /functions/scale", &[], "").status, 404);
    assert_eq!(admin.publish(&token, "scale", 2).status, 201);
}

#[test]
fn the_digest_of_an_upload_is_checked_before_anything_is_published() {
    let admin = Admin::start();
    let token = admin.root();
    // Of the bytes `(module)`.
    let right = "content-digest: sha-256=:GIV3K5TKQbNg2b0HU1VH9MjvFsvn5J0sjpeAJH4mxN4=:";
    let wrong = "content-digest: sha-256=:AAV3K5TKQbNg2b0HU1VH9MjvFsvn5J0sjpeAJH4mxN4=:";
    for field in [wrong, "content-digest: sha-256=x"] {
        let refused = admin.send(&token, "PUT /functions/nothing", &[field], "(module)");
        assert_eq!(refused.failure(), (400, "malformed".to_owned()), "{field}");
    }
    assert_eq!(admin.send(&token, "GET /functions/nothing", &[], "").status, 404);
    let published = admin.send(&token, "PUT /functions/nothing", &[right], "(module)");
    assert_ne!(published.failure(), (400, "malformed".to_owned()), "{published:?}");
}

#[test]
fn an_upload_over_the_limit_is_refused_before_it_is_read() {
    let project = Project::new([]);
    project.write("nebula.toml", "[admin]\nmax_upload = \"1kB\"\n");
    let admin = Admin::of(project, "127.0.0.1:0");
    let token = admin.root();
    let announced = admin.begin(&token, "PUT /functions/scale", &[], 2 << 30).response().unwrap();
    assert_eq!(announced.failure(), (413, "too_large".to_owned()));
    assert!(detail(&announced).contains("max_upload of [admin]"), "{announced:?}");
    let mut chunked = Client::connect(&admin.address).unwrap();
    let head = format!("PUT /functions/scale HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n");
    chunked.send(format!("{head}transfer-encoding: chunked\r\n\r\n800\r\n{}\r\n", "x".repeat(0x800)));
    assert_eq!(chunked.response().unwrap().failure(), (413, "too_large".to_owned()));
    assert_eq!(admin.publish(&token, "scale", 1).status, 201);
}

#[test]
fn a_configuration_comes_with_its_module_and_grants_no_folder_of_the_server() {
    let admin = Admin::start();
    let token = admin.root();
    let put = |config: &str, module: &str| admin.send(&token, "PUT /functions/scale", &[FORM], form(config, module));
    let published = put(r#"{"export":"scale","limits":{"timeout":"2s"}}"#, &scale(3));
    assert_eq!(published.status, 201, "{published:?}");
    let config = admin.json(&token, "GET /functions/scale")["config"].clone();
    assert_eq!((&config["export"], &config["limits"]["timeout"]), (&"scale".into(), &"2s".into()));
    let refused = put(r#"{"dirs":[{"host":"/etc","guest":"/data"}]}"#, &scale(3));
    assert_eq!(refused.failure(), (403, "forbidden".to_owned()));
    assert!(detail(&refused).contains("the folder /etc is not granted"), "{refused:?}");
    let cases = [
        (put(r#"{"exprot":"scale"}"#, &scale(3)), (422, "invalid"), "unknown field `exprot`"),
        (put(r#"{"export":"gone"}"#, &scale(3)), (422, "invalid"), "the configured export \"gone\" does not exist"),
        (put("{}", "no module"), (422, "invalid"), "the file is not WebAssembly"),
        (admin.send(&token, "PUT /functions/scale", &[FORM], "--B--\r\n"), (400, "malformed"), "is missing"),
        (admin.send(&token, "PUT /functions/Scale", &[], scale(3)), (400, "malformed"), "invalid function name"),
        (admin.send(&token, "PUT /functions/scale?alias=latest", &[], scale(3)), (400, "malformed"), "always names"),
        (
            admin.send(&token, "PUT /functions/scale", &["content-encoding: gzip"], "x"),
            (415, "unsupported_coding"),
            "gzip",
        ),
    ];
    for (response, (status, kind), expected) in cases {
        assert_eq!(response.failure(), (status, kind.to_owned()), "{expected}");
        assert!(detail(&response).contains(expected), "{expected}: {response:?}");
    }
    assert_eq!(admin.json(&token, "GET /functions/scale")["version"], 1);
}

#[test]
fn the_code_of_a_function_that_a_token_may_not_read_is_not_linked() {
    let admin = Admin::start();
    let token = admin.token("shop", &["--rights", "read,publish", "--functions", "shop-*"]);
    let config = r#"{"imports":{"nebula:tax/rates":"tax@prod"}}"#;
    let refused = admin.send(&token, "PUT /functions/shop-a", &[FORM], form(config, &scale(1)));
    assert_eq!(refused.failure(), (403, "forbidden".to_owned()));
    assert!(
        detail(&refused).contains("function tax is not linked: the token shop is not for function tax"),
        "{refused:?}"
    );
}
