//! The sandbox around a server. What it keeps from code that breaks out of a guest is tested in `frontends/cli`.
#![cfg(target_os = "linux")]

use std::fs;

use nebula_integration_tests::{Nebula, Project};

use crate::faults::support::{Server, eventually};

const WASM: &str =
    "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))) (func (export \"f\")))";

#[test]
fn a_version_that_is_granted_more_than_the_sandbox_has_is_refused_and_the_log_says_what_would_let_it() {
    let project = Project::new([]);
    for folder in ["known", "new"] {
        fs::create_dir(project.join(folder)).unwrap();
    }
    project.write("f.wat", WASM);
    let granting = |folder: &str| {
        format!("[functions.f]\nsource = \"f.wat\"\ndirs = [{{ host = \"{folder}\", guest = \"/data\" }}]\n")
    };
    project.write("nebula.toml", granting("known"));
    project.write("new.toml", granting("new"));
    let server = Server::start(&project);
    assert_eq!(server.get("/api/f").status, 200);
    if server.status("Seccomp") == "0" {
        return println!("this kernel has no sandbox");
    }
    assert_eq!((server.status("Seccomp"), server.status("NoNewPrivs")), ("2".to_owned(), "1".to_owned()));
    let published = Nebula::built().run(&project, &["publish", "f", "f.wat", "--config", "new.toml"], b"");
    assert_eq!(published.exit_code, 0, "{published:#?}");
    let new = project.join("new").canonicalize().unwrap();
    let line = format!("add to [sandbox] of nebula.toml: paths = [\"{}\"]", new.display());
    eventually("a log that names the line", || {
        // A server looks at the store when it is called.
        server.get("/api/f");
        server.log().contains(&line).then_some(())
    });
    assert_eq!(server.get("/api/f").status, 200, "the earlier version is served");
    let refused = server.get("/api/f@2");
    assert_eq!(refused.failure(), (503, "unavailable".to_owned()));
    assert!(!refused.summary().1.contains(new.to_str().unwrap()), "a caller sees no folder of the host");
}
