//! Values that a node keeps for itself are found nowhere else.

use std::{
    fs,
    io::{BufRead as _, Read as _},
    path::{Path, PathBuf},
};

use nebula_integration_tests::Nebula;

use crate::faults::support::{Server, project};

/// The values: of a variable, of a file, and in the address of a service.
const SECRETS: [&str; 3] = ["of-a-variable-4f1d", "of-a-file-93ac", "of-a-service-b7e2"];

const CONFIGURATION: &str = r#"
[functions.settings]
source = "SETTINGS"
config = { token = { env = "TOKEN" }, key = { file = "key.txt" }, gone = { env = "TOKEN" } }
env = { TOKEN = { env = "TOKEN" } }

[functions.visits]
source = "VISITS"
keyvalue = { default = "away" }
"#;

fn guest(name: &str) -> PathBuf {
    let guests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../guests/build");
    fs::canonicalize(guests.join(name).with_extension("wasm")).unwrap()
}

/// The files below a folder that have one of the secrets.
fn files_with_secrets(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_secrets(&path));
        } else if has_secret(&fs::read(&path).unwrap()) {
            found.push(path);
        }
    }
    found
}

fn has_secret(bytes: &[u8]) -> bool {
    SECRETS.iter().any(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
}

#[test]
fn no_secret_is_in_the_store_in_a_package_in_a_log_or_in_an_error() {
    // Nothing listens on port 1.
    let services = format!(r#"{{"away":{{"keyvalue":"redis://user:{}@127.0.0.1:1/0"}}}}"#, SECRETS[2]);
    let environment = [("TOKEN", SECRETS[0].to_owned()), ("NEBULA_SERVICES", services)];
    let nebula = Nebula::built().with_environment(environment);
    let text = |name: &str| guest(name).to_str().unwrap().to_owned();
    let project = project(&CONFIGURATION.replace("SETTINGS", &text("settings")).replace("VISITS", &text("visits")));
    project.write("key.txt", SECRETS[1]);

    let (server, mut log) =
        Server::start_unread_as(&nebula, &project, &["--log", "nebula_runtime=trace,info", "--reports", "all"]);
    for (name, secret) in [("token", SECRETS[0]), ("key", SECRETS[1])] {
        let answer = server.get(&format!("/api/settings:get/{name}")).summary();
        assert!(answer.0 == 200 && answer.1.contains(secret), "{answer:?}");
    }
    let refused = server.get("/api/visits:count/start").summary();
    assert_eq!(refused.0, 422, "{refused:?}");
    let pages = ["/", "/metrics", "/openapi.json", "/readyz"].map(|path| server.get(path).summary().1);
    let mut logged = String::new();
    while !logged.contains("a service failed") {
        assert_ne!(log.read_line(&mut logged).unwrap(), 0, "{logged}");
    }
    drop(server);
    log.read_to_string(&mut logged).unwrap();

    let commands: [&[&str]; 4] = [
        &["inspect", "settings"],
        &["inspect", "settings", "--json"],
        &["run", "visits:count", "start"],
        &["package", "azure", "settings", "visits", "--binary", "/bin/true", "-o", "app.zip"],
    ];
    let printed = commands.map(|arguments| {
        let output = nebula.run(&project, arguments, b"");
        format!("{arguments:?}: {} {}", String::from_utf8_lossy(&output.stdout), output.stderr)
    });
    for text in printed.iter().chain(&pages).chain([&refused.1, &logged]) {
        assert!(!has_secret(text.as_bytes()), "{text}");
    }
    fs::remove_file(project.join("key.txt")).unwrap();
    assert!(project.join("app.zip").exists(), "{printed:?}");
    assert_eq!(files_with_secrets(project.path()), Vec::<PathBuf>::new());
}
