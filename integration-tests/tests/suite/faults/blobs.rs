//! Files that pass through a server, and what becomes of them where something goes wrong in the middle.

use std::fs;

use nebula_integration_tests::{Guest, Nebula, Project};
use nebula_store_servers::{Fault, S3Server};

use crate::faults::support::{Client, Server, eventually, project};

const MIB: usize = 1 << 20;

/// A project whose functions keep files in the service `files`.
fn uploads() -> Project {
    let upload = Guest::named("upload").unwrap().path;
    let function = |name: &str, more: &str| {
        format!("[functions.{name}]\nsource = {upload:?}\nblobs.files = {{ service = \"files\", {more}\n")
    };
    let functions = [
        function("upload", "readonly = false }\nmax_request = \"1GiB\""),
        function("small", "max_value = \"1MiB\" }"),
        function("hasty", "readonly = false }\ntimeout = \"500ms\""),
    ];
    project(&(functions.concat() + "[functions.treats]\nsource = \"@treats\""))
}

/// A `nebula` whose service `files` has this URL.
fn nebula(url: &str, variables: impl IntoIterator<Item = (&'static str, String)>) -> Nebula {
    let services = format!(r#"{{"files":{{"blobs":"{url}"}}}}"#);
    Nebula::built().with_environment(variables.into_iter().chain([("NEBULA_SERVICES", services)]))
}

/// A server that keeps files in the folder `files` of the project.
fn serve(project: &Project) -> Server {
    Server::start_as(&nebula("folder:files", []), project)
}

/// Sends the head of a PUT, and a part of its body.
fn begin_put(server: &Server, path: &str, length: usize, sent: usize) -> Client {
    let mut client = server.connect();
    client.send(format!("PUT {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n"));
    let piece = vec![7; MIB];
    for _ in 0..sent / MIB {
        client.send(&piece);
    }
    client
}

fn put(server: &Server, path: &str, length: usize) -> (u16, String) {
    begin_put(server, path, length, length).response().unwrap().summary()
}

/// The names of the files in the folder.
fn files(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.join("files")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_passes_through_a_server_that_does_not_grow() {
    const SIZE: usize = 192 * MIB;
    let project = uploads();
    let server = serve(&project);
    assert_eq!(put(&server, "/api/upload/warm", 8 * MIB), (201, "stored".to_owned()));
    let before = server.resident_memory();
    assert_eq!(put(&server, "/api/upload/film", SIZE), (201, "stored".to_owned()));
    assert_eq!(fs::metadata(project.join("files/film")).unwrap().len(), SIZE as u64);
    let film = server.get("/api/upload/film");
    assert!(film.status == 200 && film.body.len() == SIZE && film.body.iter().all(|byte| *byte == 7));
    let after = server.resident_memory();
    assert!(after < before + (48 << 20), "{after} bytes, and {before} before");
}

#[test]
fn a_file_over_the_limit_is_not_kept() {
    let project = uploads();
    let server = serve(&project);
    assert_eq!(put(&server, "/api/small/file", MIB), (201, "stored".to_owned()));
    let told = "a blob may have 1048576 bytes, which is the container's max_value";
    let mut client = begin_put(&server, "/api/small/file", 2 * MIB, 2 * MIB);
    assert_eq!(client.response().unwrap().summary(), (507, told.to_owned()));
    assert_eq!(server.get("/api/small/file").body.len(), MIB);
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_no_file() {
    let project = uploads();
    let server = serve(&project);
    assert_eq!(put(&server, "/api/upload/replaced", MIB), (201, "stored".to_owned()));
    for name in ["new", "replaced"] {
        let client = begin_put(&server, &format!("/api/upload/{name}"), 16 * MIB, 4 * MIB);
        eventually("a file that is written", || files(&project).iter().find(|file| file.contains('#')).cloned());
        drop(client);
        eventually("only the old file", || (files(&project) == ["replaced"]).then_some(()));
    }
    assert_eq!(server.get("/api/upload/replaced").body.len(), MIB);
}

#[test]
fn a_server_that_is_killed_in_the_middle_keeps_the_old_file() {
    let project = uploads();
    let server = serve(&project);
    assert_eq!(put(&server, "/api/upload/replaced", MIB), (201, "stored".to_owned()));
    let _client = begin_put(&server, "/api/upload/replaced", 16 * MIB, 4 * MIB);
    eventually("a file that is written", || files(&project).iter().find(|file| file.contains('#')).cloned());
    drop(server);
    let server = serve(&project);
    assert_eq!(server.get("/api/upload/replaced").body.len(), MIB);
    assert_eq!(put(&server, "/api/upload/replaced", 2 * MIB), (201, "stored".to_owned()));
    assert_eq!(server.get("/api/upload/replaced").body.len(), 2 * MIB);
}

#[test]
fn files_in_s3_pass_through_and_a_service_that_hangs_holds_up_nobody_else() {
    let Some(s3) = S3Server::start("bucket") else { return };
    let project = uploads();
    let server = Server::start_as(&nebula("s3://bucket/of/files", s3.variables()), &project);
    assert_eq!(put(&server, "/api/upload/film", 20 * MIB), (201, "stored".to_owned()));
    assert_eq!(server.get("/api/upload/film").body.len(), 20 * MIB);
    s3.set(Fault::Hangs);
    let mut waiting = server.connect_and_get("/api/upload/film");
    assert_eq!(server.get("/api/hasty/film").failure(), (504, "timeout".to_owned()));
    assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
    s3.set(Fault::None);
    assert_eq!(waiting.response().unwrap().body.len(), 20 * MIB);
    s3.set(Fault::Refuses);
    let refused = server.get("/api/upload/film").summary();
    assert_eq!(refused, (503, "the service refused the node's credentials".to_owned()));
}
