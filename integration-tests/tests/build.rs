//! `build` of a function: its file is made when it is not there, and again when what it is made of changes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Nebula, Project, Server};

/// Much longer than it ever takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A project of a function that multiplies by the number in `src/factor`, made by a command that notes each run.
fn project() -> Project {
    let project = Project::new([]);
    let module =
        r#"(module (func (export "scale") (param i32) (result i32) (i32.mul (local.get 0) (i32.const FACTOR))))"#;
    project.write("scale.template", module);
    project.write("src/factor", "10");
    project.write("build.sh", "echo run >> .runs\nsed \"s/FACTOR/$(cat src/factor)/\" scale.template > scale.wat\n");
    project.write("nebula.toml", "[functions.scale]\nsource = \"scale.wat\"\nbuild = \"sh build.sh\"\n");
    project
}

fn watched(project: &Project) -> Server {
    Server::start(&Nebula::built(), project, &["--watch"]).unwrap()
}

fn runs(project: &Project) -> usize {
    fs::read_to_string(project.join(".runs")).map_or(0, |runs| runs.lines().count())
}

/// Calls until the answer is `expected`. Until then it may only be what it was.
fn answers(server: &Server, expected: &str, before: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answered = server.get("/api/scale/1").text();
        if answered == expected {
            return;
        }
        assert_eq!(answered, before, "{}", server.log());
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

/// Calls until the function is there and the answer is `expected`.
fn wait_for_answer(server: &Server, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    while server.get("/api/scale/1").text() != expected {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

#[test]
fn a_file_that_is_not_there_is_built_and_one_that_is_there_is_not() {
    let project = project();
    answers(&Server::start(&Nebula::built(), &project, &[]).unwrap(), "10", "10");
    assert_eq!(runs(&project), 1);
    project.write("src/factor", "20");
    answers(&Server::start(&Nebula::built(), &project, &[]).unwrap(), "10", "10");
    assert_eq!(runs(&project), 1);
}

#[test]
fn a_server_whose_function_cannot_be_built_does_not_start_and_shows_why() {
    let project = project();
    project.write("build.sh", "echo one line; echo another >&2; exit 3\n");
    let ran = Server::start(&Nebula::built(), &project, &[]).err().unwrap();
    assert_eq!(ran.exit_code, 65, "{ran:#?}");
    for expected in ["one line", "another", "failed to build function scale", "`sh build.sh` failed: exit status: 3"] {
        assert!(ran.stderr.contains(expected), "{expected}: {ran:#?}");
    }
}

#[test]
fn a_change_of_what_it_is_made_of_is_built_and_served() {
    let project = project();
    let server = watched(&project);
    answers(&server, "10", "10");
    project.write("src/factor", "20");
    answers(&server, "20", "10");
    project.write("scale.template", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 5)))");
    answers(&server, "5", "20");
}

#[test]
fn a_file_in_a_folder_that_is_made_later_is_a_change_too() {
    let project = project();
    let server = watched(&project);
    answers(&server, "10", "10");
    project.write("build.sh", "cp more/deep/scale.wat . || cp scale.template scale.wat\n");
    project.write("scale.template", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 5)))");
    answers(&server, "5", "10");
    project.write("more/deep/scale.wat", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 6)))");
    answers(&server, "6", "5");
    project.write("more/deep/scale.wat", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 7)))");
    answers(&server, "7", "6");
}

#[test]
fn a_build_that_fails_leaves_the_last_version_and_shows_what_it_said() {
    let project = project();
    let server = watched(&project);
    answers(&server, "10", "10");
    let build = fs::read_to_string(project.join("build.sh")).unwrap();
    project.write("build.sh", "echo 'expected a semicolon' >&2; exit 1\n");
    server.wait_for_log("expected a semicolon");
    server.wait_for_log("scale stays as it is: failed to build function scale");
    answers(&server, "10", "10");
    project.write("src/factor", "20");
    project.write("build.sh", build);
    answers(&server, "20", "10");
}

#[test]
fn what_a_build_and_its_function_write_is_no_reason_to_build_again() {
    let project = project();
    let build = "mkdir -p target node_modules\ndate +%N | tee target/a node_modules/a .dot\necho same > generated\n";
    let build = build.to_owned() + &fs::read_to_string(project.join("build.sh")).unwrap();
    project.write("build.sh", build);
    let server = watched(&project);
    answers(&server, "10", "10");
    for (factor, before) in [("20", "10"), ("30", "20"), ("40", "30")] {
        project.write("src/factor", factor);
        answers(&server, factor, before);
    }
    // One at the start, one for each change, and one for the first sight of a file that is written the same each time.
    let before_last = runs(&project);
    assert!((4..=5).contains(&before_last), "{before_last} runs\n{}", server.log());
}

#[test]
fn builds_that_hang_hold_up_no_other_function_nor_the_start() {
    let project = project();
    let hang = "if [ -e src/hang ]; then sleep 86400; fi; ";
    let function =
        |name: &str, build: &str| format!("[functions.{name}]\nsource = \"{name}.wat\"\nbuild = \"{build}\"\n");
    let hanging: String =
        (0..5).map(|number| function(&format!("hang-{number}"), &format!("{hang}: {number}"))).collect();
    project.write("src/hang", "");
    project.write("nebula.toml", hanging + &function("scale", "sh build.sh"));
    let server = watched(&project);
    wait_for_answer(&server, "10");
    project.write("src/factor", "20");
    answers(&server, "20", "10");
}

#[test]
fn a_build_ends_at_its_limit_and_the_function_stays() {
    let project = project();
    let server = watched(&project);
    answers(&server, "10", "10");
    let function = "[functions.scale]\nsource = \"scale.wat\"\nbuild_timeout = \"100ms\"\nbuild = \"sleep 86400\"\n";
    project.write("nebula.toml", function);
    server.wait_for_log("`sleep 86400` was ended after 100ms: build_timeout says how long it may take");
    answers(&server, "10", "10");
}

#[test]
fn a_build_that_writes_beside_its_sources_is_named_and_comes_to_an_end() {
    let project = project();
    let build = fs::read_to_string(project.join("build.sh")).unwrap();
    project.write("build.sh", build + "date +%s%N > stamp\n");
    let server = watched(&project);
    server.wait_for_log("stamp was written during two builds in a row");
    answers(&server, "10", "10");
    project.write("src/factor", "20");
    answers(&server, "20", "10");
}

#[test]
fn the_log_in_the_folder_is_no_reason_to_build_and_neither_is_what_is_left_out() {
    let project = project();
    project.write(".gitignore", "by-git\n");
    let toml = fs::read_to_string(project.join("nebula.toml")).unwrap();
    project.write("nebula.toml", toml + "[watch]\nignore = [\"by-setting\"]\n");
    let log = fs::File::create(project.join("server-output")).unwrap();
    let mut command = Nebula::built().command(&project, ["serve", "--watch", "--listen", "127.0.0.1:0"]);
    let mut server = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let built = |times: usize| {
        let deadline = Instant::now() + PATIENCE;
        while runs(&project) < times {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(project.join("server-output")).unwrap());
            thread::yield_now();
        }
        let log = fs::read_to_string(project.join("server-output")).unwrap();
        assert_eq!(runs(&project), times, "{log}");
    };
    built(1);
    for times in 2..5 {
        project.write("by-git", times.to_string());
        project.write("by-setting", times.to_string());
        project.write("src/factor", times.to_string());
        built(times);
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
