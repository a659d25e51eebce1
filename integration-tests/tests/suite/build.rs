//! The key `build` of a function: its command runs if the source is missing, and again when its inputs change.

use std::{
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Nebula, Project, Server};

/// How long a test waits before it fails. Nothing normally takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A project whose function multiplies by the number in `src/factor`. Its build command adds a line to `.runs`.
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

fn serve_and_watch(project: &Project) -> Server {
    Server::start(&Nebula::built(), project, &["--watch"]).unwrap()
}

fn build_runs(project: &Project) -> usize {
    fs::read_to_string(project.join(".runs")).map_or(0, |runs| runs.lines().count())
}

/// Calls the function until it returns `expected`. Until then it must return `before`.
fn wait_for_change(server: &Server, expected: &str, before: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let result = server.get("/api/scale/1").text();
        if result == expected {
            return;
        }
        assert_eq!(result, before, "{}", server.log());
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

/// Calls the function until it exists and returns `expected`.
fn wait_for_result(server: &Server, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    while server.get("/api/scale/1").text() != expected {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

#[test]
fn a_missing_source_is_built_and_an_existing_one_is_not() {
    let project = project();
    wait_for_change(&Server::start(&Nebula::built(), &project, &[]).unwrap(), "10", "10");
    assert_eq!(build_runs(&project), 1);
    project.write("src/factor", "20");
    wait_for_change(&Server::start(&Nebula::built(), &project, &[]).unwrap(), "10", "10");
    assert_eq!(build_runs(&project), 1);
}

#[test]
fn a_server_does_not_start_and_says_why_if_a_build_fails() {
    let project = project();
    project.write("build.sh", "echo one line; echo another >&2; exit 3\n");
    let output = Server::start(&Nebula::built(), &project, &[]).err().unwrap();
    assert_eq!(output.exit_code, 65, "{output:#?}");
    for expected in ["one line", "another", "failed to build function scale", "`sh build.sh` failed: exit status: 3"] {
        assert!(output.stderr.contains(expected), "{expected}: {output:#?}");
    }
}

#[test]
fn a_change_of_a_build_input_is_built_and_served() {
    let project = project();
    let server = serve_and_watch(&project);
    wait_for_change(&server, "10", "10");
    project.write("src/factor", "20");
    wait_for_change(&server, "20", "10");
    project.write("scale.template", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 5)))");
    wait_for_change(&server, "5", "20");
}

#[test]
fn a_change_in_a_folder_that_is_made_later_is_built_and_served() {
    let project = project();
    let server = serve_and_watch(&project);
    wait_for_change(&server, "10", "10");
    project.write("build.sh", "cp more/deep/scale.wat . || cp scale.template scale.wat\n");
    project.write("scale.template", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 5)))");
    wait_for_change(&server, "5", "10");
    project.write("more/deep/scale.wat", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 6)))");
    wait_for_change(&server, "6", "5");
    project.write("more/deep/scale.wat", "(module (func (export \"scale\") (param i32) (result i32) (i32.const 7)))");
    wait_for_change(&server, "7", "6");
}

#[test]
fn a_failed_build_keeps_the_last_version_and_its_output_is_logged() {
    let project = project();
    let server = serve_and_watch(&project);
    wait_for_change(&server, "10", "10");
    let build = fs::read_to_string(project.join("build.sh")).unwrap();
    project.write("build.sh", "echo 'expected a semicolon' >&2; exit 1\n");
    server.wait_for_log("expected a semicolon");
    server.wait_for_log("scale stays as it is: failed to build function scale");
    wait_for_change(&server, "10", "10");
    project.write("src/factor", "20");
    project.write("build.sh", build);
    wait_for_change(&server, "20", "10");
}

#[test]
fn files_that_a_build_writes_do_not_start_another_build() {
    let project = project();
    let build = "mkdir -p target node_modules\ndate +%N | tee target/a node_modules/a .dot\necho same > generated\n";
    let build = build.to_owned() + &fs::read_to_string(project.join("build.sh")).unwrap();
    project.write("build.sh", build);
    let server = serve_and_watch(&project);
    wait_for_change(&server, "10", "10");
    for (factor, before) in [("20", "10"), ("30", "20"), ("40", "30")] {
        project.write("src/factor", factor);
        wait_for_change(&server, factor, before);
    }
    // One build at the start and one for each change. One more may come when the server first sees the file
    // `generated`.
    let runs = build_runs(&project);
    assert!((4..=5).contains(&runs), "{runs} runs\n{}", server.log());
}

#[test]
fn hanging_builds_delay_neither_the_start_nor_other_functions() {
    let project = project();
    let hang = "if [ -e src/hang ]; then sleep 86400; fi; ";
    let function =
        |name: &str, build: &str| format!("[functions.{name}]\nsource = \"{name}.wat\"\nbuild = \"{build}\"\n");
    let hanging: String =
        (0..5).map(|number| function(&format!("hang-{number}"), &format!("{hang}: {number}"))).collect();
    project.write("src/hang", "");
    project.write("nebula.toml", hanging + &function("scale", "sh build.sh"));
    let server = serve_and_watch(&project);
    wait_for_result(&server, "10");
    project.write("src/factor", "20");
    wait_for_change(&server, "20", "10");
}

#[test]
fn a_build_ends_at_its_timeout_and_the_function_stays() {
    let project = project();
    let server = serve_and_watch(&project);
    wait_for_change(&server, "10", "10");
    let function = "[functions.scale]\nsource = \"scale.wat\"\nbuild_timeout = \"100ms\"\nbuild = \"sleep 86400\"\n";
    project.write("nebula.toml", function);
    server.wait_for_log("`sleep 86400` was ended after 100ms: build_timeout says how long it may take");
    wait_for_change(&server, "10", "10");
}

#[test]
fn a_build_that_writes_beside_its_inputs_is_named_and_does_not_repeat_forever() {
    let project = project();
    let build = fs::read_to_string(project.join("build.sh")).unwrap();
    project.write("build.sh", build + "date +%s%N > stamp\n");
    let server = serve_and_watch(&project);
    server.wait_for_log("stamp was written during two builds in a row");
    wait_for_change(&server, "10", "10");
    project.write("src/factor", "20");
    wait_for_change(&server, "20", "10");
}

#[test]
fn ignored_files_and_the_servers_own_log_do_not_start_a_build() {
    let project = project();
    project.write(".gitignore", "by-git\n");
    let toml = fs::read_to_string(project.join("nebula.toml")).unwrap();
    project.write("nebula.toml", toml + "[watch]\nignore = [\"by-setting\"]\n");
    let log = fs::File::create(project.join("server-output")).unwrap();
    let mut command = Nebula::built().command(&project, ["serve", "--watch", "--listen", "127.0.0.1:0"]);
    let mut server = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let wait_for_builds = |times: usize| {
        let deadline = Instant::now() + PATIENCE;
        while build_runs(&project) < times {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(project.join("server-output")).unwrap());
            thread::yield_now();
        }
        let log = fs::read_to_string(project.join("server-output")).unwrap();
        assert_eq!(build_runs(&project), times, "{log}");
    };
    wait_for_builds(1);
    for times in 2..5 {
        project.write("by-git", times.to_string());
        project.write("by-setting", times.to_string());
        project.write("src/factor", times.to_string());
        wait_for_builds(times);
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
