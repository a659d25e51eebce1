//! The code cache: no command compiles code that an earlier one compiled.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path};

use nebula_integration_tests::{Guest, Nebula, Project, Server};

/// Every file of a folder, with metadata that changes when the file is written again.
fn files(folder: &Path) -> BTreeMap<String, (u64, i64, i64, u64)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            found.extend(files(&path));
        } else {
            let state = (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.size());
            found.insert(path.display().to_string(), state);
        }
    }
    found
}

fn project() -> (Nebula, Project) {
    let guests = ["treats", "echo", "echo-component"].map(|name| Guest::named(name).unwrap());
    let plain = guests.iter().map(|guest| guest.functions.iter().find(|function| function.name == guest.name).unwrap());
    let project = Project::new(plain);
    (Nebula::built().with_cache(project.join("cache")), project)
}

fn serve_and_call(nebula: &Nebula, project: &Project) {
    let server = Server::start(nebula, project, &[]).unwrap();
    for (path, answer) in [("treats/10", "10"), ("echo/a", "a"), ("echo-component/a", "a")] {
        let response = server.get(&format!("/api/{path}"));
        assert_eq!((response.status, response.text().as_str()), (200, answer), "{}", server.log());
    }
}

#[test]
fn a_second_start_of_a_server_compiles_nothing() {
    let (nebula, project) = project();
    serve_and_call(&nebula, &project);
    let compiled = files(&project.join("cache"));
    let modules = compiled.keys().filter(|path| path.ends_with(".cwasm")).count();
    assert_eq!(modules, 3, "{compiled:?}");
    serve_and_call(&nebula, &project);
    assert_eq!(files(&project.join("cache")), compiled);
}

#[test]
fn run_uses_the_code_of_the_server_and_lost_code_is_compiled_again() {
    let (nebula, project) = project();
    serve_and_call(&nebula, &project);
    let compiled = files(&project.join("cache"));
    assert_eq!(nebula.run(&project, &["run", "treats", "10"], b"").expect_success().text(), "10\n");
    assert_eq!(files(&project.join("cache")), compiled);

    let lost = compiled.keys().find(|path| path.ends_with(".cwasm")).unwrap();
    fs::remove_file(lost).unwrap();
    serve_and_call(&nebula, &project);
    let again = files(&project.join("cache"));
    assert_eq!(again.keys().collect::<Vec<_>>(), compiled.keys().collect::<Vec<_>>());
    let rewritten: Vec<_> =
        again.iter().filter(|(path, state)| compiled[*path] != **state).map(|(path, _)| path).collect();
    assert_eq!(rewritten, [lost]);
}
