//! Commands on a server (`--server`), which say and do the same as on a store.

use std::fs;

use nebula_integration_tests::{Nebula, ProcessOutput, Project};
use nebula_runtime::Timestamp;

use super::{Admin, scale};
use crate::faults::support::tls::issue;

/// A command and its arguments. Those that change something come in an order, and the rest shows what has become of it.
const COMMANDS: [&[&str]; 46] = [
    &["list"],
    &["list", "--json"],
    &["publish", "scale", "ten.wat"],
    &["publish", "scale", "ten.wat", "--json"],
    &["publish", "scale", "twenty.wat", "--config", "grants.toml", "--alias", "prod"],
    &["publish", "scale", "thirty.wat", "--json"],
    &["publish", "traps", "traps.wat"],
    &["publish", "calc", "ten.wat", "--config", "grants.toml"],
    &["publish", "none", "none.wat"],
    &["publish", "none", "gone.wat"],
    &["publish", "scale", "ten.wat", "--config", "gone.toml"],
    &["list"],
    &["list", "--json"],
    &["inspect", "scale"],
    &["inspect", "scale@1"],
    &["inspect", "scale@prod", "--json"],
    &["inspect", "scale:scale@2"],
    &["inspect", "scale@7"],
    &["inspect", "other"],
    &["diff", "scale@1", "scale@prod"],
    &["diff", "scale@1", "scale@2", "--json"],
    &["diff", "scale@1", "calc"],
    &["diff", "scale@1", "scale@7"],
    &["alias", "scale"],
    &["alias", "scale", "prod", "1"],
    &["alias", "scale", "prod", "1", "--json"],
    &["alias", "scale", "prod", "2=95", "3=5", "--sticky", "x-user"],
    &["alias", "scale", "beta"],
    &["alias", "scale", "prod", "9"],
    &["alias", "traps", "prod", "1"],
    &["alias", "scale", "--json"],
    &["rollback", "scale"],
    &["rollback", "scale", "prod", "--json"],
    &["rollback", "scale", "prod"],
    &["alias", "scale", "beta", "3"],
    &["rollback", "scale"],
    &["rollback", "traps"],
    &["alias", "scale", "beta", "--remove"],
    &["alias", "scale", "beta", "--remove"],
    &["rm", "scale@2"],
    &["rm", "scale@1", "--json"],
    &["rm", "scale@1"],
    &["rm", "scale", "--force"],
    &["history", "scale"],
    &["history", "scale", "--json"],
    &["history", "other"],
];

/// Files that commands publish, and a configuration with grants.
fn project() -> Project {
    let project = Project::new([]);
    for (name, factor) in [("ten.wat", 10), ("twenty.wat", 20), ("thirty.wat", 30)] {
        project.write(name, scale(factor));
    }
    project.write("traps.wat", "(module (func $f unreachable) (start $f) (func (export \"scale\")))");
    project.write("none.wat", "no module");
    let config = "timeout = \"2s\"\nenv = { GREETING = \"hi\" }\nallow_hosts = [\"api.example.com\"]\n";
    let function = |name: &str| format!("[functions.{name}]\nsource = \"{name}.wat\"\n{config}");
    project.write("grants.toml", function("scale") + &function("calc"));
    project
}

/// Who changes a function on a store, and the name of the token that changes it on a server.
fn publisher() -> String {
    format!("ada@{}", fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim())
}

/// The command of a user who has this token.
pub(super) fn command_with_token(token: &str) -> Nebula {
    Nebula::built().with_environment([("USER", "ada".to_owned()), ("NEBULA_TOKEN", token.to_owned())])
}

impl Admin {
    /// Runs a command with a token on this server.
    pub(super) fn run(&self, token: &str, arguments: &[&str]) -> ProcessOutput {
        self.run_with_input(token, arguments, b"")
    }

    pub(super) fn run_with_input(&self, token: &str, arguments: &[&str], input: &[u8]) -> ProcessOutput {
        let url = format!("http://{}", self.address);
        command_with_token(token).run(&self.project, &[arguments, &["--server", &url]].concat(), input)
    }
}

/// What a command printed. The place of the functions is left out, and each moment is the same. The history of one second
/// is in the order of the kinds of changes, so its lines are sorted.
fn printed(arguments: &[&str], output: &ProcessOutput, place: &str) -> (i32, String, String) {
    let mut stdout = timeless(&output.text());
    if arguments.first() == Some(&"history") {
        let mut lines: Vec<_> = stdout.lines().map(|line| line.trim_end_matches(',')).collect();
        lines.sort_unstable();
        stdout = lines.join("\n");
    }
    (output.exit_code, stdout, output.stderr.replace(place, "PLACE"))
}

pub(super) fn timeless(text: &str) -> String {
    const LENGTH: usize = "2026-01-31T12:00:00Z".len();

    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_moment = rest.get(..LENGTH).is_some_and(|word| word.parse::<Timestamp>().is_ok());
        let length = if is_moment { LENGTH } else { first.len_utf8() };
        let (word, after) = rest.split_at(length);
        shown += if is_moment { "2026-01-31T12:00:00Z" } else { word };
        rest = after;
    }
    shown
}

#[test]
fn each_command_says_and_does_the_same_on_a_server_as_on_a_store() {
    let (here, admin) = (project(), Admin::of(project(), "127.0.0.1:0"));
    let token = admin.token(&publisher(), &["--rights", "read,publish,alias,remove"]);
    // Both stores are there before the first command: a server makes its own when it starts.
    let _ = command_with_token("").run(&here, &["publish", "first", "ten.wat"], b"").expect_success();
    let _ = admin.run(&token, &["publish", "first", "ten.wat"]).expect_success();
    for arguments in COMMANDS {
        let on_store = command_with_token("").run(&here, arguments, b"");
        let on_server = admin.run(&token, arguments);
        let (code, stdout, stderr) = printed(arguments, &on_store, here.join("store").to_str().unwrap());
        let place = format!("http://{}", admin.address);
        let (server_code, server_stdout, server_stderr) = printed(arguments, &on_server, &place);
        assert_eq!((server_code, server_stdout), (code, stdout), "{arguments:?}\n{server_stderr}");
        // The causes of an error stay in the log of the server.
        assert!(stderr.starts_with(server_stderr.trim_end()), "{arguments:?}\n{stderr}\n{server_stderr}");
    }
}

#[test]
fn a_list_of_many_functions_comes_in_pages() {
    let project = Project::new([]);
    let entry = |number: u32| format!("[functions.f{number:03}]\nsource = \"f.wat\"\n");
    project.write("nebula.toml", (0..201).map(entry).collect::<String>());
    project.write("f.wat", scale(2));
    let admin = Admin::of(project, "127.0.0.1:0");
    let token = admin.root();
    for arguments in [&["list"][..], &["list", "--json"]] {
        let on_store = admin.nebula(arguments).expect_success().text();
        assert!(on_store.contains("f200"), "{on_store}");
        assert_eq!(admin.run(&token, arguments).expect_success().text(), on_store, "{arguments:?}");
    }
}

#[test]
fn a_refusal_says_what_is_missing() {
    let project = project();
    project.write("nebula.toml", "[admin]\nmax_upload = \"1MiB\"\n");
    let admin = Admin::of(project, "127.0.0.1:0");
    let reader = admin.token("reader", &["--rights", "read", "--functions", "shop-*"]);
    let root = admin.root();
    let publisher = admin.token("publisher", &["--rights", "publish"]);
    let configurations = [
        ("dirs.toml", "dirs = [{ host = \".\", guest = \"/d\" }]"),
        ("env.toml", "env = { KEY = { env = \"AWS_SECRET_ACCESS_KEY\" } }"),
        ("config.toml", "config = { users = { file = \"/etc/passwd\" } }"),
        ("keyvalue.toml", "keyvalue = { default = \"state\" }"),
    ];
    for (file, line) in configurations {
        admin.project.write(file, format!("[functions.f]\nsource = \"ten.wat\"\n{line}\n"));
    }
    let publish_with = |file| ["publish", "f", "ten.wat", "--config", file];
    admin.project.write("large.wat", vec![b' '; 8 << 20]);
    let publish: &[&str] = &["publish", "shop-cart", "ten.wat"];
    let cases: [(&str, &[&str], i32, &str); 11] = [
        ("", &["list"], 77, "wants a token: set NEBULA_TOKEN to one; nebula token create NAME"),
        ("two words", &["list"], 77, "NEBULA_TOKEN is not a token"),
        ("nebula_other", &["list"], 77, "lets nobody in with NEBULA_TOKEN: the token is not known here"),
        (
            "nebula_other",
            &["publish", "large", "large.wat"],
            77,
            "lets nobody in with NEBULA_TOKEN: the token is not known here",
        ),
        (&reader, publish, 77, "forbidden: the token reader does not have the right publish: it has read"),
        (&reader, &["inspect", "scale"], 77, "forbidden: the token reader is not for function scale"),
        (&root, &publish_with("dirs.toml"), 77, "is not granted: this is granted on the server's machine only"),
        (
            &root,
            &publish_with("env.toml"),
            77,
            "env.KEY: the environment variable AWS_SECRET_ACCESS_KEY is not granted",
        ),
        (&root, &publish_with("config.toml"), 77, "config.users: the file /etc/passwd is not granted"),
        (
            &publisher,
            &publish_with("keyvalue.toml"),
            77,
            "the services of the server are not granted: the token publisher",
        ),
        (&root, &["publish", "large", "large.wat"], 65, "the body is larger than the limit of"),
    ];
    for (token, arguments, code, expected) in cases {
        let output = admin.run(token, arguments);
        assert!(output.exit_code == code && output.stderr.contains(expected), "{arguments:?}: {output:#?}");
    }
    assert_eq!(admin.run(&root, &["list", "--json"]).text(), "[]\n", "nothing was published");
}

#[test]
fn a_place_that_is_no_admin_api_is_named() {
    let admin = Admin::of(project(), "127.0.0.1:0");
    let token = admin.root();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (public, nobody, server) =
        (format!("http://{}", admin.server.address()), format!("http://{free}"), format!("http://{}", admin.address));
    let cases: [(&[&str], i32, &str); 9] = [
        (&["list", "--server", &public], 78, "does not answer as the admin API of Nebula: status 404 Not Found"),
        (&["blobs", "list", "pictures", "--server", &public], 78, "does not answer as the admin API of Nebula"),
        (&["list", "--server", &nobody], 69, "Connection refused"),
        (
            &["kv", "list", "state", "--config", "grants.toml", "--server", &server],
            2,
            "--config says what the services of this machine are",
        ),
        (&["list", "--server", "http://example.com"], 2, "http:// would send the token unencrypted"),
        (&["list", "--server", "s3://bucket"], 2, "name a store with --store"),
        (&["list", "--server", &server, "--store", "store"], 2, "--store and --server are both given"),
        (&["run", "scale", "1", "--server", &server], 2, "this command works on a store"),
        (
            &["serve", "--listen", "127.0.0.1:0", "--server", &server],
            2,
            "publish, list, inspect, alias, rollback, history, diff, rm, kv and blobs work",
        ),
    ];
    for (arguments, code, expected) in cases {
        let output = command_with_token(&token).run(&admin.project, arguments, b"");
        assert!(output.exit_code == code && output.stderr.contains(expected), "{arguments:?}: {output:#?}");
    }
}

#[test]
fn the_command_line_counts_more_than_the_environment() {
    let admin = Admin::of(project(), "127.0.0.1:0");
    let server = format!("http://{}", admin.address);
    let token = admin.root();
    let _ = admin.run(&token, &["publish", "scale", "ten.wat"]).expect_success();
    let variables = [("NEBULA_SERVER", server.clone()), ("NEBULA_TOKEN", token)];
    let nebula = Nebula::built().with_environment(variables);
    let both = nebula.run(&admin.project, &["list"], b"");
    assert_eq!(both.exit_code, 2);
    assert!(both.stderr.contains("NEBULA_STORE and NEBULA_SERVER are both set"), "{both:#?}");
    for place in [["--server", &server], ["--store", "store"]] {
        let listed = nebula.run(&admin.project, &[&["list"], &place[..]].concat(), b"").expect_success().text();
        assert!(listed.contains("scale"), "{place:?}: {listed}");
    }
}

#[test]
fn a_certificate_is_trusted_or_the_error_says_why_not() {
    let (valid, expired) = (with_certificate(30), with_certificate(-1));
    issue(&valid.0.project, "other.pem", "other-key.pem", 30);
    let cases = [
        (&valid, "127.0.0.1", "cert.pem", 0, ""),
        (&valid, "127.0.0.1", "other.pem", 78, "no authority that this machine knows has signed its certificate"),
        (&valid, "localhost", "cert.pem", 78, "its certificate is for another name"),
        (&expired, "127.0.0.1", "cert.pem", 78, "its certificate has expired"),
    ];
    for ((admin, token), host, trusted, code, expected) in cases {
        let url = format!("https://{host}:{}", admin.address.rsplit(':').next().unwrap());
        let trusted = admin.project.join(trusted).to_str().unwrap().to_owned();
        let nebula = Nebula::built().with_environment([("NEBULA_TOKEN", token.clone()), ("SSL_CERT_FILE", trusted)]);
        let output = nebula.run(&admin.project, &["list", "--server", &url], b"");
        assert!(output.exit_code == code && output.stderr.contains(expected), "{url}: {output:#?}");
    }
}

/// A server with a certificate of its own, which is valid for so many days, and a token.
fn with_certificate(days: i32) -> (Admin, String) {
    let project = Project::new([]);
    project.write("nebula.toml", "[admin]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n");
    issue(&project, "cert.pem", "key.pem", days);
    let admin = Admin::of(project, "127.0.0.1:0");
    let token = admin.root();
    (admin, token)
}
