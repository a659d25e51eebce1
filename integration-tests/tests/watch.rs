//! `nebula serve --watch`: files that change are published again, and no request fails over it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Kind, Nebula, Project, Saving, Server, Way};

/// Much longer than it ever takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn scale(factor: u32) -> String {
    format!("(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))")
}

fn watched() -> (Project, Server) {
    let project = Project::new([]);
    project.write("guests/scale.wat", scale(10));
    project.write("nebula.toml", "[functions.scale]\nsource = \"guests/scale.wat\"\n");
    let server = Server::start(&Nebula::built(), &project, &["--watch"]).unwrap();
    (project, server)
}

/// Calls until the answer is `expected`. Until then it may only be what it was.
fn answers(server: &Server, path: &str, expected: &str, before: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answered = server.get(path);
        assert_eq!(answered.status, 200, "{}\n{}", answered.text(), server.log());
        if answered.text() == expected {
            return;
        }
        assert_eq!(answered.text(), before);
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

#[test]
fn a_file_that_is_written_again_is_served() {
    let (project, server) = watched();
    answers(&server, "/api/scale/1", "10", "10");
    project.write("guests/scale.wat", scale(20));
    answers(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_file_that_is_replaced_is_served() {
    let (project, server) = watched();
    project.write("scale.part", scale(20));
    fs::rename(project.join("scale.part"), project.join("guests/scale.wat")).unwrap();
    answers(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_file_that_is_broken_leaves_the_last_version_until_it_is_mended() {
    let (project, server) = watched();
    project.write("guests/scale.wat", "(module");
    server.wait_for_log("scale stays as it is: failed to publish function scale");
    answers(&server, "/api/scale/1", "10", "10");
    project.write("guests/scale.wat", scale(20));
    answers(&server, "/api/scale/1", "20", "10");
}

#[test]
fn a_function_that_the_configuration_gains_is_served_and_one_that_changes_is_too() {
    let (project, server) = watched();
    assert_eq!(server.get("/api/more/1").status, 404);
    project.write("guests/more.wat", scale(30));
    let scale = "[functions.scale]\nsource = \"guests/scale.wat\"\n";
    project.write("nebula.toml", format!("{scale}[functions.more]\nsource = \"guests/more.wat\"\n"));
    let deadline = Instant::now() + PATIENCE;
    while server.get("/api/more/1").status == 404 {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    answers(&server, "/api/more/1", "30", "30");
    project.write("nebula.toml", "[functions.scale]\nsource = \"guests/more.wat\"\n");
    answers(&server, "/api/scale/1", "30", "10");
}

#[test]
fn a_change_is_served_and_nothing_is_done_twice_however_files_are_saved() {
    let mut saving = Saving::start(&[Kind::Source, Kind::Input, Kind::Source]);
    for way in Way::ALL.into_iter().chain(Way::ALL.into_iter().rev()) {
        saving.save(0, way);
        saving.save(1, way);
    }
    // What was done twice would be in the log before this is.
    saving.save(2, Way::InPlace);
    saving.check_that_nothing_was_done_twice();
}

#[test]
fn a_configuration_behind_a_link_is_read_again_when_the_link_leads_elsewhere() {
    let project = Project::new([]);
    for (version, factor) in [("1", 10), ("2", 20), ("3", 30)] {
        project.write(format!("..{version}/scale.wat"), scale(factor));
        let extra = format!("[functions.only-in-{version}]\nsource = \"scale.wat\"\n");
        project
            .write(format!("..{version}/nebula.toml"), format!("[functions.scale]\nsource = \"scale.wat\"\n{extra}"));
    }
    let swap = |version: &str| {
        symlink(format!("..{version}"), project.join("..next")).unwrap();
        fs::rename(project.join("..next"), project.join("..data")).unwrap();
    };
    swap("1");
    fs::remove_file(project.join("nebula.toml")).unwrap();
    symlink("..data/nebula.toml", project.join("nebula.toml")).unwrap();
    symlink("..data/scale.wat", project.join("scale.wat")).unwrap();
    let server = Server::start(&Nebula::built(), &project, &["--watch"]).unwrap();
    for (version, answer, before) in [("2", "20", "10"), ("3", "30", "20")] {
        swap(version);
        answers(&server, "/api/scale/1", answer, before);
        server.wait_for_log(&format!("only-in-{} is no longer in nebula.toml", version.parse::<u8>().unwrap() - 1));
    }
}

#[test]
fn a_function_that_is_taken_out_of_the_configuration_is_said_to_be_served_still() {
    let (project, server) = watched();
    project.write("nebula.toml", "");
    server.wait_for_log("scale is no longer in nebula.toml, but the store still has it, and it is served as before");
    answers(&server, "/api/scale/1", "10", "10");
}

#[test]
fn a_configuration_that_names_a_folder_is_read_once_the_folder_is_there() {
    let (project, server) = watched();
    project.write(
        "nebula.toml",
        "[functions.scale]\nsource = \"more.wat\"\ndirs = [{ host = \"data\", guest = \"/data\" }]\n",
    );
    server.wait_for_log("the configuration stays as it is");
    project.write("more.wat", scale(20));
    fs::create_dir(project.join("data")).unwrap();
    answers(&server, "/api/scale/1", "20", "10");
}

#[test]
fn files_are_looked_at_from_time_to_time_where_that_is_asked_for() {
    let project = Project::new([]);
    project.write("f.src", scale(10));
    project.write("nebula.toml", "[functions.scale]\nsource = \"f.wat\"\nbuild = \"cp f.src f.wat\"\n");
    let server = Server::start(&Nebula::built(), &project, &["--watch", "--poll=100ms"]).unwrap();
    project.write("f.src", scale(20));
    answers(&server, "/api/scale/1", "20", "10");
}
