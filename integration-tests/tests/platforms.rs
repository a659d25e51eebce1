//! Packages for container hosts and for Azure Functions, as those platforms use them.
//!
//! The tests of an image are ignored where no container can be started, and the list of tests says why.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use http::Request;
use libtest_mimic::{Arguments, Failed, Trial};
use nebula_integration_tests::{
    AzurePackage, Function, Guest, HttpResponse, ImageLayout, ImagePackage, ProcessOutput, Project, Server,
    make_package, no_containers, stripped_nebula, unzip,
};
use serde_json::{Value, json};

/// How long a test waits for anything before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its name, what it does, and why it cannot run here.
type Test = (&'static str, fn(), Option<&'static str>);

fn main() {
    let skopeo = (!runs("skopeo") || !runs("umoci")).then_some("skopeo and umoci are not installed");
    let linux = cfg!(not(target_os = "linux")).then_some("this is not Linux");
    let tests: [Test; 9] = [
        ("other_tools_read_an_image_in_both_formats", formats, skopeo.or(linux)),
        ("another_function_makes_the_same_layer_for_the_program", layers, linux),
        ("a_container_answers_as_another_user_on_a_read_only_file_system", container, no_containers()),
        ("a_key_value_file_in_a_read_only_folder_is_refused_with_the_reason", key_value_file, no_containers()),
        ("a_container_finishes_its_requests_at_sigterm", drain, no_containers()),
        ("a_container_refuses_calls_before_its_memory_is_used_up", memory, no_containers()),
        ("the_program_in_a_package_for_azure_is_executable", executable, linux),
        ("each_kind_of_trigger_of_azure_calls_its_function", triggers, linux),
        ("a_failed_event_of_azure_is_a_500_with_the_kind", failures, linux),
    ];
    let trials = tests.into_iter().map(|(name, test, missing)| {
        let trial = Trial::test(name, move || {
            test();
            Ok::<_, Failed>(())
        });
        match missing {
            Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
            None => trial,
        }
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn runs(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Waits until `look` finds something.
fn eventually<T>(effect: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{effect} was awaited for too long");
        thread::yield_now();
    }
}

/// A guest's function of the same name, with these keys in its entry of `nebula.toml`.
fn function(guest: &str, config: &str) -> Function {
    let functions = Guest::named(guest).unwrap().functions;
    let mut function = functions.into_iter().find(|function| function.name == guest).unwrap();
    function.config.extend(config.parse::<toml::Table>().unwrap());
    function
}

fn expect_start(started: Result<Server, ProcessOutput>) -> Server {
    started.unwrap_or_else(|output| panic!("{output:#?}"))
}

fn run(tool: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(tool).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn formats() {
    let project = Project::new([&function("treats", "")]);
    let made = make_package(&project, "image", Path::new("/bin/true"), "app.tar");
    for format in ["oci-archive:app.tar", "docker-archive:app.tar"] {
        let config: Value =
            serde_json::from_str(&run("skopeo", &["inspect", "--config", format], project.path())).unwrap();
        let run = json!({
            "User": "65532:65532", "ExposedPorts": { "8080/tcp": {} }, "Env": ["PATH=/usr/bin"], "WorkingDir": "/",
            "Entrypoint": ["/usr/bin/nebula", "start", "image", "/functions"], "StopSignal": "SIGTERM",
        });
        assert_eq!(config["config"], run, "{format}");
    }
    run("skopeo", &["copy", "--quiet", "oci-archive:app.tar", "oci:copy:app"], project.path());
    let copied: Value = serde_json::from_slice(&fs::read(project.join("copy/index.json")).unwrap()).unwrap();
    let digest = copied["manifests"][0]["digest"].as_str().unwrap();
    assert!(made.ends_with(&format!("\n{digest}\n")), "{made}");
    run("umoci", &["unpack", "--rootless", "--image", "copy:app", "bundle"], project.path());
    let root = project.join("bundle/rootfs");
    assert_eq!(fs::read(root.join("usr/bin/nebula")).unwrap(), fs::read("/bin/true").unwrap());
    for file in ["etc/ssl/certs/ca-certificates.crt", "functions/nebula/package.json"] {
        assert!(root.join(file).is_file(), "{file}");
    }
    let mode = fs::metadata(root.join("tmp")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o1777);
}

fn layers() {
    let layers = |guest: &str, file: &str| {
        let project = Project::new([&function(guest, "")]);
        make_package(&project, "image", Path::new("/bin/true"), file);
        let layout = ImageLayout::unpack(&project.join(file), project.join("layout"));
        let layers = layout.manifest()["layers"].as_array().unwrap().clone();
        (layers.iter().map(|layer| layer["digest"].clone()).collect::<Vec<_>>(), fs::read(project.join(file)).unwrap())
    };
    let (first, again, other) = (layers("treats", "a.tar"), layers("treats", "b.tar"), layers("hello", "c.tar"));
    assert!(first == again, "the same functions make the same bytes");
    assert_eq!(first.0[0], other.0[0]);
    assert_ne!(first.0[1], other.0[1]);
}

fn container() {
    let package = ImagePackage::new(&[function("treats", ""), function("hello", "")]);
    let server = expect_start(package.start(&[], &[]));
    let text = |path: &str| (server.get(path).status, server.get(path).text());
    assert_eq!(text("/api/treats/10"), (200, "10".to_owned()));
    assert_eq!(text("/api/hello/Ada"), (200, "Hello, Ada!\n".to_owned()));
    assert_eq!(text("/readyz"), (200, "ok".to_owned()));
    assert_eq!(server.get("/openapi.json").status, 200);
    assert!(text("/metrics").1.contains("nebula_invocations_total"));
    let names = server.get("/").text();
    assert!(names.contains("hello") && names.contains("treats"), "{names}");
}

fn key_value_file() {
    let package = ImagePackage::new(&[function("visits", "")]);
    let services = r#"{"state":{"keyvalue":"redb:/functions/state.redb"}}"#.to_owned();
    let output = package.start(&[], &[("NEBULA_SERVICES", services)]).map(|_| "a server").unwrap_err();
    assert!(output.stderr.contains("is in a folder that is read-only"), "{output:#?}");
    assert!(output.stderr.contains("on AWS Lambda only /tmp"), "{output:#?}");
}

fn drain() {
    let package = ImagePackage::new(&[function("hello", "")]);
    let server = expect_start(package.start(&[], &[]));
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"POST /api/hello HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nAd").unwrap();
    eventually("a running call", || server.get("/metrics").text().contains("nebula_in_flight 1\n").then_some(()));
    terminate_container(server.id());
    eventually("a closed listener", || TcpStream::connect(server.address()).is_err().then_some(()));
    client.write_all(b"a").unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("Hello, Ada!\n"), "{response}");
}

/// Sends SIGTERM to the first process of a container, as container hosts do. `bwrap` is its parent.
fn terminate_container(bwrap: u32) {
    let children = fs::read_to_string(format!("/proc/{bwrap}/task/{bwrap}/children")).unwrap();
    run("kill", &["-s", "TERM", children.trim()], Path::new("/"));
}

fn memory() {
    // 80 % of this limit is room for one of two calls at once.
    let group = Project::new([]);
    group.write("memory.max", "100000000\n");
    let hello = function("hello", "memory = \"64MiB\"");
    let package = ImagePackage::new(&[hello, function("treats", "memory = \"64MiB\"")]);
    let server = expect_start(package.start(&[(group.path(), "/sys/fs/cgroup")], &[]));
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"POST /api/hello HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nAd").unwrap();
    eventually("a running call", || server.get("/metrics").text().contains("nebula_in_flight 1\n").then_some(()));
    // A call is in flight before it has its memory.
    let refused = eventually("a refusal", || Some(server.get("/api/treats/10")).filter(|answer| answer.status != 200));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    let problem: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!(problem["kind"], "overloaded");
    assert_eq!(problem["detail"], "the server is at its memory limit; try again later");
    drop(client);
    eventually("room for a call", || (server.get("/api/treats/10").text() == "10").then_some(()));
}

fn executable() {
    let project = Project::new([&function("treats", "")]);
    make_package(&project, "azure", &stripped_nebula(), "app.zip");
    unzip(&project.join("app.zip"), &project.join("app"));
    let mode = |file: &str| fs::metadata(project.join("app").join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("bin/nebula"), mode("host.json")), (0o755, 0o644));
}

/// What a function is called by on Azure, and where its result goes.
const BINDINGS: [(&str, &str, &str); 4] = [
    (
        "hello",
        r#"{ type = "queueTrigger", direction = "in", name = "item", queueName = "names" }"#,
        r#"{ type = "queue", direction = "out", name = "greeting", queueName = "greetings" }"#,
    ),
    (
        "echo",
        r#"{ type = "timerTrigger", direction = "in", name = "timer", schedule = "0 */5 * * * *" }"#,
        r#"{ type = "queue", direction = "out", name = "$return", queueName = "ticks" }"#,
    ),
    (
        "word-count",
        r#"{ type = "blobTrigger", direction = "in", name = "text", path = "texts/{name}", dataType = "binary" }"#,
        r#"{ type = "table", direction = "out", name = "counts", tableName = "counts" }"#,
    ),
    (
        "add",
        r#"{ type = "httpTrigger", direction = "in", name = "req", authLevel = "function" }"#,
        r#"{ type = "http", direction = "out", name = "res" }, { type = "queue", direction = "out", name = "sums", queueName = "sums" }"#,
    ),
];

fn azure() -> (AzurePackage, Server) {
    let functions = BINDINGS
        .map(|(guest, trigger, output)| function(guest, &format!("azure = {{ bindings = [{trigger}, {output}] }}")));
    let package = AzurePackage::new(&[functions.as_slice(), &[function("treats", "")]].concat());
    let server = expect_start(Server::start_command(&mut package.handler()));
    (package, server)
}

/// Sends an event as the host does.
fn send(server: &Server, function: &str, data: &Value) -> HttpResponse {
    let body = json!({ "Data": data, "Metadata": { "sys": { "MethodName": function } } }).to_string();
    let request = Request::post(format!("/{function}")).header("content-type", "application/json; charset=utf-8");
    server.send(request.header("x-azure-functions-invocationid", "8d5a").body(body).unwrap())
}

fn triggers() {
    let (package, server) = azure();
    let timer = json!({ "Schedule": { "AdjustForDST": true }, "ScheduleStatus": null, "IsPastDue": false });
    let (none, counts) = (json!({}), json!({ "bytes": 5, "lines": 0, "words": 3 }));
    let cases = [
        // The host encodes a text as JSON, and that JSON as a string.
        ("hello", json!({ "item": "\"Ada\"" }), json!({ "greeting": "Hello, Ada!\n" }), json!("Hello, Ada!\n")),
        ("echo", json!({ "timer": timer.clone() }), none, timer),
        ("word-count", json!({ "text": "YSBiIGE=" }), json!({ "counts": counts.clone() }), counts),
    ];
    for (function, data, outputs, result) in cases {
        let response = send(&server, function, &data);
        let answer: Value = serde_json::from_slice(&response.body).expect("an answer is JSON");
        let expected = json!({ "Outputs": outputs, "Logs": [], "ReturnValue": result });
        assert_eq!((response.status, answer), (200, expected), "{function}");
    }
    // The functions without bindings of their own are called by requests, and all of them are on the other routes.
    assert_eq!(server.get("/api/treats/10").text(), "10");
    assert_eq!(server.get("/readyz").text(), "ok");
    let bindings: Value =
        serde_json::from_slice(&fs::read(package.folder().join("add/function.json")).unwrap()).unwrap();
    assert_eq!(bindings["bindings"][2]["queueName"], "sums");
}

fn failures() {
    let (_package, server) = azure();
    let cases = [
        ("add", json!({ "req": { "Method": "POST", "Body": "[1, 2]" } }), "invalid_input"),
        ("hello", json!({ "other": 1 }), "invalid_input"),
    ];
    for (function, data, kind) in cases {
        let response = send(&server, function, &data);
        let problem: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((response.status, &problem["kind"]), (500, &json!(kind)), "{}", response.text());
        assert_eq!((&problem["status"], &problem["invocation_id"]), (&json!(500), &json!("8d5a")));
    }
}
