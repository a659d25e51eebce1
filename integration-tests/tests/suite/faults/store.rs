//! Stores, caches and addresses that are damaged or cannot be used.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use nebula_integration_tests::{Nebula, ProcessOutput, Project};
use serde_json::{Value, json};

use crate::faults::support::{Server, eventually, guest, project, with_program};

/// A project whose store has the function `treats`, and a `nebula` with its own code cache.
fn published() -> (Project, Nebula) {
    let project = project("");
    let nebula = Nebula::built().with_cache(project.join("cache"));
    let _ = nebula.publish(&project, "treats", &guest("treats"), &[]).expect_success();
    (project, nebula)
}

fn run_treats(nebula: &Nebula, project: &Project) -> ProcessOutput {
    nebula.run(project, &["run", "treats", "10"], b"")
}

/// The exit code and the stderr of a command that failed without output.
fn failure(output: &ProcessOutput) -> (i32, String) {
    assert_eq!(output.text(), "");
    (output.exit_code, output.stderr.trim_end().to_owned())
}

fn assert_fails(output: &ProcessOutput, exit_code: i32, parts: &[&str]) {
    let (code, stderr) = failure(output);
    assert_eq!(code, exit_code, "{stderr}");
    assert!(!stderr.contains("panicked") && stderr.lines().count() <= 2, "{stderr}");
    parts.iter().for_each(|part| assert!(stderr.contains(part), "no {part:?} in {stderr:?}"));
}

/// All files in a folder and its subfolders.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_error_names_an_address_that_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let project = project("");
    let output = Nebula::built().run(&project, &["serve", "--listen", &address], b"");
    assert_fails(&output, 69, &[&address, "in use"]);
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_not_changed() {
    let (project, nebula) = published();
    let marker = project.join("store/nebula-store.json");
    fs::write(&marker, r#"{"format":2,"new":true}"#).unwrap();
    let serve: &[&str] = &["serve", "--listen", "127.0.0.1:0"];
    for arguments in [&["run", "treats", "10"][..], &["publish", "treats", "treats.wat"], &["list"], serve] {
        assert_fails(&nebula.run(&project, arguments, b""), 69, &["format 2", "use a newer Nebula"]);
    }
    assert_eq!(fs::read_to_string(marker).unwrap(), r#"{"format":2,"new":true}"#);
}

#[test]
fn the_error_names_a_damaged_marker_of_the_store() {
    let (project, nebula) = published();
    for marker in ["", "{", "[]", r#"{"format":"1"}"#, "\0\0\0\0"] {
        fs::write(project.join("store/nebula-store.json"), marker).unwrap();
        assert_fails(&run_treats(&nebula, &project), 69, &["nebula-store.json", "cannot be understood"]);
    }
}

#[test]
fn a_corrupt_blob_is_never_used_and_publishing_again_repairs_it() {
    let (project, nebula) = published();
    for blob in files(&project.join("store/blobs")) {
        let whole = fs::read(&blob).unwrap();
        let flipped = [&[whole[0] ^ 1], &whole[1..]].concat();
        for damaged in [&flipped[..], &whole[..whole.len() / 2], b""] {
            fs::write(&blob, damaged).unwrap();
            fs::remove_dir_all(nebula.cache()).unwrap();
            let name = blob.file_name().unwrap().to_str().unwrap();
            assert_fails(&run_treats(&nebula, &project), 70, &[name, "corrupt", "publish the function again"]);
            let _ = nebula.publish(&project, "treats", &guest("treats"), &[]).expect_success();
            assert_eq!(run_treats(&nebula, &project).expect_success().text(), "10\n");
        }
    }
}

#[test]
fn the_error_names_a_missing_blob_and_publishing_again_restores_it() {
    let (project, nebula) = published();
    for blob in files(&project.join("store/blobs")) {
        fs::remove_file(&blob).unwrap();
        fs::remove_dir_all(nebula.cache()).unwrap();
        let name = blob.file_name().unwrap().to_str().unwrap();
        assert_fails(&run_treats(&nebula, &project), 70, &[name, "missing", "publish the function again"]);
        let _ = nebula.publish(&project, "treats", &guest("treats"), &[]).expect_success();
        assert_eq!(run_treats(&nebula, &project).expect_success().text(), "10\n");
    }
}

#[test]
fn a_damaged_function_does_not_affect_others_and_publishing_again_repairs_it() {
    let (project, nebula) = published();
    let add = || nebula.publish(&project, "add", &guest("add"), &[]).expect_success();
    let _ = add();
    for damaged in documents(&project, "add") {
        fs::write(&damaged, "{").unwrap();
        let server = Server::start(&project);
        assert_eq!(server.get("/api/add/1/2").failure(), (500, "internal".to_owned()), "{damaged:?}");
        assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
        for path in ["/healthz", "/readyz", "/openapi.json"] {
            assert_eq!(server.get(path).status, 200, "{path} {damaged:?}");
        }
        let listed: Value = serde_json::from_slice(&server.get("/").body).unwrap();
        let detail = "the function is damaged in the store; publish it again to repair it";
        let unreadable = json!({"name": "add", "error": {"kind": "internal", "detail": detail}});
        assert_eq!((&listed["functions"][0], &listed["functions"][1]["name"]), (&unreadable, &json!("treats")));
        let list = nebula.run(&project, &["list"], b"").expect_success();
        let lines: Vec<_> = list.stdout.split(|byte| *byte == b'\n').map(String::from_utf8_lossy).collect();
        assert!(lines[1].starts_with("add ") && lines[1].ends_with(detail), "{lines:?}");
        assert!(lines[2].starts_with("treats "), "{lines:?}");
        assert!(list.stderr.ends_with("warning: 1 function cannot be read\n"), "{}", list.stderr);

        let _ = add();
        eventually("a repaired function", || {
            (server.get("/api/add/1/2").summary() == (200, "3".to_owned())).then_some(())
        });
        assert_eq!(nebula.run(&project, &["list"], b"").expect_success().stderr, "");
    }
}

/// The files that describe the latest version of a function: its record, its manifest and its configuration.
fn documents(project: &Project, function: &str) -> [PathBuf; 3] {
    let record = project.join(format!("store/functions/{function}.json"));
    let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let blob = |digest: &Value| {
        let (_, hex) = digest.as_str().unwrap().split_once(':').unwrap();
        project.join(format!("store/blobs/sha256/{hex}"))
    };
    let manifest = blob(&read(&record)["versions"]["1"]["manifest"]);
    let config = blob(&read(&manifest)["config"]["digest"]);
    [record, manifest, config]
}

#[test]
fn a_record_of_a_newer_format_is_listed_as_unreadable_and_not_changed() {
    let (project, nebula) = published();
    let record = project.join("store/functions/treats.json");
    let newer = r#"{"format":3,"new":true}"#;
    fs::write(&record, newer).unwrap();
    let listed = nebula.run(&project, &["list"], b"").expect_success().text();
    assert!(
        listed.contains("treats  -        -        -     -     cannot be read: a newer Nebula published"),
        "{listed}"
    );
    let output = nebula.publish(&project, "treats", &guest("treats"), &[]);
    assert_eq!((output.exit_code, output.stderr.contains("use a newer Nebula here")), (70, true), "{}", output.stderr);
    assert_eq!(fs::read_to_string(&record).unwrap(), newer);
    assert_eq!(fs::read_dir(project.join("store/functions")).unwrap().count(), 1);
}

#[test]
fn readyz_fails_and_says_why_while_the_store_hangs() {
    let (project, _) = published();
    let server = Server::start(&project);
    assert_eq!(server.get("/readyz").status, 200);
    let marker = project.join("store/nebula-store.json");
    fs::rename(&marker, project.join("kept")).unwrap();
    make_pipe(&marker);
    let (status, problem) = server.get("/readyz").summary();
    assert!(status == 503 && problem.contains("the store does not answer"), "{status} {problem}");
    assert_eq!((server.get("/healthz").status, server.get("/api/treats/10").status), (200, 200));
}

/// The test leaves an empty folder in the store's place, as an unmounted disk does.
#[test]
fn known_functions_are_served_while_the_store_is_missing_and_it_is_used_again_when_it_is_back() {
    let (project, nebula) = published();
    let (store, elsewhere) = (project.join("store"), project.join("elsewhere"));
    let server = Server::start(&project);
    let treats = |server: &Server| server.get("/api/treats/10").summary();
    assert_eq!(treats(&server), (200, "10".to_owned()));
    assert_eq!(server.get("/api/none").failure(), (404, "not_found".to_owned()));

    fs::rename(&store, &elsewhere).unwrap();
    fs::create_dir(&store).unwrap();
    eventually("a server that has noticed the missing store", || {
        assert_eq!(treats(&server), (200, "10".to_owned()));
        server.log().contains("the last known version is served").then_some(())
    });
    for name in ["/api/other", "/api/add/1/2"] {
        assert_eq!(server.get(name).failure(), (503, "unavailable".to_owned()));
        assert_eq!(treats(&server), (200, "10".to_owned()));
    }
    assert_eq!(server.get("/healthz").status, 200);
    let (status, problem) = server.get("/readyz").summary();
    assert!(status == 503 && problem.contains("the store is gone from its place"), "{status} {problem}");

    fs::remove_dir(&store).unwrap();
    fs::rename(&elsewhere, &store).unwrap();
    let _ = nebula.publish(&project, "add", &guest("add"), &[]).expect_success();
    assert_eq!(server.get("/api/add/1/2").summary(), (200, "3".to_owned()));
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.get("/api/none").failure(), (404, "not_found".to_owned()));
    assert_eq!(treats(&server), (200, "10".to_owned()));
    assert_eq!(server.log().matches("the last known version is served").count(), 1, "{}", server.log());
}

/// Makes a named pipe. A reader that opens it waits for a writer.
fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The test replaces records by pipes.
#[test]
fn known_functions_are_served_while_the_store_hangs() {
    let (project, nebula) = published();
    let _ = nebula.publish(&project, "add", &guest("add"), &[]).expect_success();
    let server = Server::start(&project);
    assert_eq!(server.get("/api/treats/10").status, 200);
    for function in ["treats", "add"] {
        let record = project.join(format!("store/functions/{function}.json"));
        fs::rename(&record, record.with_extension("kept")).unwrap();
        make_pipe(&record);
    }
    eventually("a server that has noticed the hanging store", || {
        assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
        server.log().contains("the last known version is served").then_some(())
    });
    assert_eq!(server.get("/api/add/1/2").failure(), (503, "unavailable".to_owned()));
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
    assert_eq!(server.get("/healthz").status, 200);
}

/// The server still knows the version, so it goes on serving it.
#[test]
fn a_function_is_served_although_its_record_is_emptied_and_the_log_says_so_once() {
    let (project, _) = published();
    let server = Server::start(&project);
    assert_eq!(server.get("/api/treats/10").status, 200);
    fs::write(project.join("store/functions/treats.json"), "").unwrap();
    eventually("a server that has read the record", || {
        assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
        server.log().contains("the last known version is served").then_some(())
    });
    for _ in 0..200 {
        assert_eq!(server.get("/api/treats/10").status, 200);
    }
    assert_eq!(server.log().matches("the last known version is served").count(), 1, "{}", server.log());
}

#[test]
fn damaged_code_in_the_code_cache_is_compiled_again() {
    let (project, nebula) = published();
    let entries =
        || files(nebula.cache()).into_iter().filter(|path| path.extension().is_some_and(|end| end == "cwasm"));
    let entry = entries().next().unwrap();
    let whole = fs::read(&entry).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], &whole[..1], b""] {
        fs::write(&entry, damaged).unwrap();
        let output = run_treats(&nebula, &project).expect_success();
        assert_eq!(output.text(), "10\n");
        assert!(output.stderr.contains("discarding compiled code"), "{}", output.stderr);
        assert_eq!(run_treats(&nebula, &project).expect_success().stderr, "", "the code was compiled and stored again");
    }
}

#[test]
fn a_function_runs_although_the_code_cache_is_not_a_folder() {
    let (project, nebula) = published();
    project.write("file", "");
    let nebula = nebula.with_cache(project.join("file"));
    assert_eq!(run_treats(&nebula, &project).expect_success().text(), "10\n");
}

#[test]
fn the_error_names_a_store_without_permission() {
    let (project, _) = published();
    let store = project.join("store");
    let add = guest("add").to_str().unwrap().to_owned();
    fs::copy(add, project.join("add.wat")).unwrap();
    set_modes(&store, 0o555);
    let output = run_as_unprivileged(&project, &["publish", "add", "add.wat"]);
    assert_eq!(output.exit_code, 69, "{}", output.stderr);
    assert!(
        output.stderr.contains("ermission denied") && output.stderr.contains(store.to_str().unwrap()),
        "{}",
        output.stderr
    );
    let output = run_as_unprivileged(&project, &["run", "treats", "10"]);
    assert_eq!((output.exit_code, output.text()), (0, "10\n".to_owned()), "{}", output.stderr);
    set_modes(&store, 0o000);
    for arguments in [&["run", "treats", "10"][..], &["list"], &["serve", "--listen", "127.0.0.1:0"]] {
        let output = run_as_unprivileged(&project, arguments);
        assert_eq!(output.exit_code, 69, "{}", output.stderr);
        assert!(
            output.stderr.contains("ermission denied") && output.stderr.contains(store.to_str().unwrap()),
            "{}",
            output.stderr
        );
    }
    set_modes(&store, 0o755);
}

/// Sets the mode of a store's folder and of its subfolders. The folder itself gets its mode last.
fn set_modes(folder: &Path, mode: u32) {
    let set = |folder: &Path, mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
    set(folder, 0o755);
    for path in ["blobs", "blobs/sha256", "functions"] {
        set(&folder.join(path), if mode == 0 { 0o755 } else { mode });
    }
    set(folder, mode);
}

/// Runs `nebula` as a user without special rights. Modes do not restrict root, so a test that runs as root becomes the
/// user `nobody`, with a copy of the program that this user can read.
fn run_as_unprivileged(project: &Project, arguments: &[&str]) -> ProcessOutput {
    const NOBODY: u32 = 65_534;

    let command = Nebula::built().command(project, arguments);
    if fs::metadata(project.path()).unwrap().uid() != 0 {
        return ProcessOutput::from(with_program(&command, command.get_program()).output().unwrap());
    }
    let copy = project.join("nebula");
    if !copy.exists() {
        fs::copy(command.get_program(), &copy).unwrap();
    }
    fs::set_permissions(project.path(), fs::Permissions::from_mode(0o755)).unwrap();
    ProcessOutput::from(with_program(&command, copy.as_os_str()).uid(NOBODY).gid(NOBODY).output().unwrap())
}
