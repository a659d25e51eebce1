//! `nebula top`: what a running server does, from its metrics.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use nebula_integration_tests::{Guest, Nebula, Process, Project, Server};
use serde_json::Value;

fn project() -> Project {
    Project::new(&Guest::named("treats").unwrap().functions)
}

/// Runs `look` while a client calls the function again and again. The metrics have some calls before.
fn while_called<T>(server: &Server, look: impl FnOnce() -> T) -> T {
    let ended = AtomicBool::new(false);
    let call = || assert_eq!(server.get("/api/treats/10").status, 200);
    call();
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            while !ended.load(Relaxed) {
                call();
            }
        });
        let seen = look();
        ended.store(true, Relaxed);
        client.join().unwrap();
        seen
    })
}

#[test]
fn one_table_shows_the_calls_between_two_looks_and_so_does_json() {
    let (nebula, project) = (Nebula::built(), project());
    let server = Server::start(&nebula, &project, &[]).unwrap();
    let top = |option| nebula.run(&project, &["top", "--interval", "300ms", option, server.address()], b"");
    let (table, json) = while_called(&server, || (top("--once"), top("--json")));
    let (table, json) = (table.expect_success().text(), json.expect_success().text());
    let mut lines = table.lines();
    assert!(lines.next().unwrap().contains(" calls/s, 0 errors/s, "), "{table}");
    let header = lines.nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(header, ["function", "calls/s", "errors/s", "p50", "p99", "running", "cpu", "memory"]);
    let cells = lines.next().unwrap().split_whitespace().take(3).collect::<Vec<_>>();
    assert_eq!((cells[0], cells[2]), ("treats", "0"), "{table}");
    assert!(cells[1].parse::<f64>().unwrap() > 0.0, "{table}");

    let rates: Value = serde_json::from_str(&json).unwrap();
    let function = &rates["functions"][0];
    assert_eq!(function["function"], "treats");
    for rate in [&rates["calls_per_second"], &function["calls_per_second"], &function["p50"], &rates["memory"]] {
        assert!(rate.as_f64().is_some_and(|rate| rate > 0.0), "{json}");
    }
}

#[test]
fn a_server_on_a_unix_socket_is_shown() {
    let (nebula, project) = (Nebula::built(), project());
    let address = format!("unix:{}", project.join("nebula.sock").display());
    let serve = ["serve", "--listen", &address];
    let server = Process::start(nebula.command(&project, serve).stderr(std::process::Stdio::piped()));
    server.wait_for_address().unwrap();
    let table = nebula.run(&project, &["top", "--interval", "1ms", "--once", &address], b"").expect_success();
    assert!(table.text().starts_with("0 calls/s, 0 errors/s, 0 running of 256, "), "{table:#?}");
}

#[test]
fn an_address_without_a_server_or_without_metrics_is_an_error_that_names_it() {
    let (nebula, project) = (Nebula::built(), project());
    let server = Server::start(&nebula, &project, &[]).unwrap();
    let elsewhere = format!("http://{}/api", server.address());
    let socket = format!("unix:{}", project.join("none.sock").display());
    let cases = [
        (socket.as_str(), 69, "failed to reach the server unix:"),
        (elsewhere.as_str(), 78, "does not show the metrics of Nebula: status 404 Not Found"),
        ("s3://bucket", 2, "expected an address such as http://127.0.0.1:8080"),
    ];
    for (address, exit_code, message) in cases {
        let output = nebula.run(&project, &["top", "--once", address], b"");
        assert_eq!(output.exit_code, exit_code, "{output:#?}");
        assert!(output.stderr.contains(message), "{output:#?}");
    }
}

/// `script` (util-linux) runs a command in a terminal, and keeps what the terminal is sent.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_the_table_again_and_again_until_q_is_pressed() {
    use std::{fs, io::Write as _, process::Stdio};

    use nebula_integration_tests::eventually;

    let (nebula, project) = (Nebula::built(), project());
    let server = Server::start(&nebula, &project, &[]).unwrap();
    let script = "script -q -e -f -c \"'$0' top --interval 20ms $1\" terminal";
    let mut top = nebula.shell(script, &project, &[server.address()]);
    let mut top = top.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let terminal = || fs::read_to_string(project.join("terminal")).unwrap_or_default();
    let waiting = "\x1b[?1049h\x1b[?25l\x1b[Hwaiting for the first numbers\x1b[K\x1b[J";
    eventually("a page of the terminal", || terminal().contains(waiting).then_some(()));
    while_called(&server, || eventually("a row of the table", || terminal().contains("treats").then_some(())));
    top.stdin.take().unwrap().write_all(b"q").unwrap();
    assert!(top.wait().unwrap().success(), "{}", terminal());
    assert!(terminal().contains("\x1b[?25h\x1b[?1049l"), "{}", terminal());
}
