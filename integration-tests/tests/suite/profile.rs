//! `nebula profile`: the functions that run show in the table, in the profile for Firefox's profiler, and in the flame
//! graph, whatever kind of function it is.

use std::fs;

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project};
use serde_json::Value;

/// `work` calls `hot` for half of its loops, and `hot` loops itself.
const WORK: &str = "(module
    (func $hot (param $left i32)
        (loop $again
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left))))
    (func $work (export \"work\") (param $rounds i32) (result i32)
        (loop $again
            (call $hot (i32.const 100000))
            (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
            (br_if $again (local.get $rounds)))
        (i32.const 7)))";

/// What `nebula profile` has written.
struct Written {
    output: ProcessOutput,
    firefox: Value,
    svg: String,
}

/// Profiles a file of a project.
fn profile(project: &Project, arguments: &[&str], stdin: &[u8]) -> Written {
    let output = Nebula::built().run(project, &[&["profile"], arguments].concat(), stdin);
    let read = |name| fs::read_to_string(project.join(name)).unwrap_or_else(|error| panic!("{error}: {output:#?}"));
    Written { firefox: serde_json::from_str(&read("profile.json")).unwrap(), svg: read("profile.svg"), output }
}

fn guest(name: &str) -> String {
    Guest::named(name).unwrap().path.to_str().unwrap().to_owned()
}

impl Written {
    /// The only thread of the profile.
    fn thread(&self) -> &Value {
        &self.firefox["threads"][0]
    }

    fn string(&self, index: &Value) -> Option<&str> {
        let index = usize::try_from(index.as_u64()?).unwrap();
        self.thread()["stringArray"][index].as_str()
    }

    /// The places that the profile knows: function, file and line.
    fn places(&self) -> Vec<(String, Option<&str>, Option<u64>)> {
        let (frames, functions) = (&self.thread()["frameTable"], &self.thread()["funcTable"]);
        let place = |frame: usize| {
            let function = usize::try_from(frames["func"][frame].as_u64().unwrap()).unwrap();
            let name = self.string(&functions["name"][function]).unwrap().to_owned();
            (name, self.string(&functions["fileName"][function]), frames["line"][frame].as_u64())
        };
        (0..frames["func"].as_array().unwrap().len()).map(place).collect()
    }

    /// Each table has as many entries in each of its columns as it says, and names only entries that are there.
    fn assert_consistent(&self) {
        let thread = self.thread();
        for table in ["samples", "stackTable", "frameTable", "funcTable", "markers", "resourceTable", "nativeSymbols"] {
            let length = thread[table]["length"].as_u64().unwrap();
            for (name, column) in thread[table].as_object().unwrap() {
                let entries = column.as_array().map(|column| column.len() as u64);
                assert!(entries.is_none_or(|entries| entries == length), "{table}.{name}: {entries:?} of {length}");
            }
        }
        let pairs = [("samples", "stack", "stackTable"), ("stackTable", "prefix", "stackTable")];
        let more = [("stackTable", "frame", "frameTable"), ("frameTable", "func", "funcTable")];
        for (table, column, other) in pairs.into_iter().chain(more) {
            let entries = thread[other]["length"].as_u64().unwrap();
            let mut named = thread[table][column].as_array().unwrap().iter().filter_map(Value::as_u64);
            assert!(named.all(|entry| entry < entries), "{table}.{column}");
        }
    }
}

#[test]
fn a_core_module_shows_the_functions_that_ran_in_its_table_its_profile_and_its_flame_graph() {
    let project = Project::new([]);
    project.write("work.wat", WORK);
    let written = profile(&project, &["work.wat", "2000"], b"");
    assert_eq!(written.output.exit_code, 0, "{:#?}", written.output);
    written.assert_consistent();
    let mut names: Vec<_> = written.places().into_iter().map(|(name, _, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["hot", "work"]);
    let table = written.output.text();
    let first = table.lines().nth(1).unwrap_or_default();
    assert!(table.starts_with("self") && first.ends_with("hot"), "{table}");
    assert!(written.svg.contains(">hot</text>"), "{}", written.svg);
    let stderr = &written.output.stderr;
    assert!(
        stderr.contains(" of 1 call in ") && stderr.contains("profile.json: open it in Firefox's profiler"),
        "{stderr}"
    );
}

#[test]
fn a_function_with_debug_information_shows_its_lines() {
    let numbers = "12345 ".repeat(1_000_000);
    let cases = [
        ("faulty-command", vec![], numbers.as_bytes(), 0, "faulty_command::main", "faulty/src/bin/faulty-command.rs"),
        (
            "faulty",
            vec!["--export", "dig", "--for", "300ms", "1"],
            b"".as_slice(),
            137,
            "faulty::dig",
            "faulty/src/lib.rs",
        ),
        ("faulty-typed", vec!["--export", "dig", "--for", "300ms"], b"", 137, "faulty::dig", "faulty/src/lib.rs"),
    ];
    for (name, options, stdin, exit_code, function, file) in cases {
        let (project, path) = (Project::new([]), guest(name));
        let written = profile(&project, &[&[path.as_str(), "--interval", "200us"], &*options].concat(), stdin);
        assert_eq!(written.output.exit_code, exit_code, "{name}: {:#?}", written.output);
        written.assert_consistent();
        let places = written.places();
        let is_there = places.iter().any(|place| place.0 == function && place.1 == Some(file) && place.2.is_some());
        assert!(is_there, "{name}: {places:#?}");
        assert!(written.svg.contains(&format!(">{function}</text>")), "{name}");
    }
}

#[test]
fn a_published_handler_of_requests_is_profiled_with_its_arguments_as_the_path() {
    let guest = Guest::named("faulty-http").unwrap();
    let project = Project::new([]);
    let _ = Nebula::built().publish(&project, "divide", &guest.path, &[]).expect_success();
    let written = profile(&project, &["divide", "a", "--for", "300ms", "-o", "profile.json"], b"");
    assert_eq!(written.output.exit_code, 0, "{:#?}", written.output);
    written.assert_consistent();
    assert!(written.svg.contains("<title>all: 100.0 %"), "{}", written.svg);
}

#[test]
fn a_profile_of_too_few_samples_says_what_to_do_and_options_for_files_are_refused_for_functions() {
    let project = Project::new([]);
    project.write("same.wat", "(module (func (export \"same\") (param i32) (result i32) (local.get 0)))");
    let written = profile(&project, &["same.wat", "10"], b"");
    assert_eq!(written.output.exit_code, 0);
    assert!(written.output.stderr.contains("few samples say little: call the function again and again (--for 5s)"));
    let _ = Nebula::built().publish(&project, "same", &project.join("same.wat"), &[]).expect_success();
    let refused = Nebula::built().run(&project, &["profile", "same", "10", "--memory", "1MiB"], b"");
    assert_eq!(refused.exit_code, 2, "{refused:#?}");
    assert!(refused.stderr.contains("--memory is for a FILE"), "{refused:#?}");
}

#[test]
fn a_place_that_cannot_be_written_is_noticed_before_the_function_is_called() {
    let project = Project::new([]);
    project.write("spin.wat", "(module (func (export \"spin\") (loop (br 0))))");
    let output = Nebula::built().run(&project, &["profile", "spin.wat", "-o", "none/profile.json"], b"");
    assert_eq!(output.exit_code, 74, "{output:#?}");
    assert!(output.stderr.contains("failed to write none/profile.json"), "{output:#?}");
}
