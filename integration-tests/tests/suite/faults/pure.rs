//! Functions whose results are kept.

use nebula_integration_tests::{Guest, Nebula, Project};

use crate::faults::support::{Server, eventually, project};

const CONFIGURATION: &str = "
[server]
result_cache = \"1MiB\"
[functions.pure]
source = \"@pure\"
cache = \"pure\"
export = \"div\"
[functions.treats]
source = \"@treats\"
";

fn start_of(server: &Server, path: &str) -> String {
    let response = server.get(path);
    assert_eq!(response.status, 200, "{path}");
    let timing = &response.headers["server-timing"];
    timing.split(',').next().unwrap().trim_start_matches("start;desc=").to_owned()
}

#[test]
fn a_result_is_computed_once_and_the_metrics_tell_the_calls_that_got_it() {
    let server = Server::start(&project(CONFIGURATION));
    let starts = ["/api/pure/12/4", "/api/pure/12/4", "/api/pure:div/12/4", "/api/pure/12/3"];
    assert_eq!(starts.map(|path| start_of(&server, path)), ["warm", "cached", "cached", "warm"]);
    assert_eq!(["/api/treats/1"; 2].map(|path| start_of(&server, path)), ["warm"; 2]);
    let counted = "nebula_invocations_total{function=\"pure\",version=\"1\",outcome=\"ok\",start=\"cached\"} 2";
    eventually("the count of calls that got a kept result", || {
        server.get("/metrics").summary().1.contains(counted).then_some(())
    });
}

#[test]
fn a_client_that_has_the_result_gets_no_body_and_the_connection_stays_open() {
    let server = Server::start(&project(CONFIGURATION));
    let mut client = server.connect();
    client.get("/api/pure/12/4");
    let first = client.response().unwrap();
    assert_eq!((first.summary(), first.headers["cache-control"].as_str()), ((200, "3".to_owned()), "no-cache"));
    let tag = &first.headers["etag"];
    // As a proxy asks that has compressed the result.
    client.send(format!("GET /api/pure/12/4 HTTP/1.1\r\nhost: test\r\nif-none-match: \"a\", W/{tag}\r\n\r\n"));
    let second = client.response().unwrap();
    assert_eq!((second.summary(), &second.headers["etag"]), ((304, String::new()), tag));
    assert_eq!(second.headers["cache-control"], "no-cache");
    client.get("/api/pure/12/6");
    assert_eq!(client.response().unwrap().summary(), (200, "2".to_owned()));
}

#[test]
fn a_new_version_has_results_of_its_own() {
    let project = project(CONFIGURATION);
    let server = Server::start(&project);
    assert_eq!(server.get("/api/pure/12/4").summary(), (200, "3".to_owned()));
    let other = "(module (func (export \"div\") (param i32 i32) (result i32) (i32.const 7)))";
    project.write("other.wat", other);
    let published = Nebula::built().publish(&project, "pure", &project.join("other.wat"), &["--config", "nebula.toml"]);
    drop(published.expect_success());
    eventually("the new version", || (server.get("/api/pure/12/4").summary() == (200, "7".to_owned())).then_some(()));
    assert_eq!(server.get("/api/pure@1/12/4").summary(), (200, "3".to_owned()));
}

#[test]
fn what_may_depend_on_more_than_its_arguments_is_refused_with_the_reason() {
    let nebula = Nebula::built();
    let cases = [
        ("granted", "this module imports \"environ_sizes_get\" from \"wasi_snapshot_preview1\""),
        ("endless-loop", "this module imports "),
        ("http-hello", "this is a component"),
        ("shop", "this is a component"),
    ];
    for (guest, reason) in cases {
        let file = Guest::named(guest).unwrap().path;
        let project = Project::new([]);
        project.write("nebula.toml", format!("[functions.{guest}]\nsource = {file:?}\ncache = \"pure\"\n"));
        for command in [&["publish", guest, file.to_str().unwrap(), "--config", "nebula.toml"][..], &["serve"]] {
            let refused = nebula.run(&project, command, b"");
            let detail = format!("cache = \"pure\" is for core modules that import nothing, and {reason}");
            assert!(refused.stderr.contains(&detail), "{guest}: {refused:#?}");
            assert_eq!(refused.exit_code, 65, "{guest}: {refused:#?}");
        }
        assert_eq!(nebula.run(&project, &["list", "--json"], b"").expect_success().text().trim(), "[]");
    }
}

#[test]
fn inspect_shows_that_results_are_kept() {
    let project = project(CONFIGURATION);
    let file = Guest::named("pure").unwrap().path;
    drop(Nebula::built().publish(&project, "pure", &file, &["--config", "nebula.toml"]).expect_success());
    let inspected = Nebula::built().run(&project, &["inspect", "pure"], b"").expect_success();
    assert!(inspected.text().contains("\n  results   kept, as it is pure\n"), "{}", inspected.text());
}
