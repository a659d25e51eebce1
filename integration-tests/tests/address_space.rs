//! A process that may have little address space: too little for a pool of instances, and for memories of the usual
//! kind.
#![cfg(target_os = "linux")]

use nebula_integration_tests::{Guest, Nebula, Project, Ran};

/// In KiB: a hundredth of what a server reserves.
const LIMIT: u32 = 3_000_000;

/// Runs `nebula run` under the limit.
fn run(project: &Project, arguments: &[&str]) -> Ran {
    let limited = format!("ulimit -v {LIMIT} && exec \"$0\" \"$@\"");
    Nebula::built().run_by(&limited, project, &[&["run"], arguments].concat())
}

#[test]
fn guests_of_each_kind_run_without_any_that_is_reserved() {
    let project = Project::new([]);
    let runs = [
        ("grow", &["3"][..], "4"),
        ("three-memories", &["--export", "add", "40", "2"], "42"),
        ("typed-init", &["21"], "42"),
        ("typed-parts", &["7"], "7"),
        ("hoard", &["--export", "hoard", "10000"], "10000"),
        ("parts", &["--raw"], ""),
    ];
    for (guest, arguments, result) in runs {
        let file = Guest::named(guest).unwrap().path;
        // The second time from the cache of compiled code.
        for _ in 0..2 {
            let ran = run(&project, &[&[file.to_str().unwrap()], arguments].concat()).successful();
            assert_eq!(ran.text().trim_end(), result, "{guest}");
            assert!(ran.stderr.contains("address space is short"), "{guest}: {ran:#?}");
        }
    }
}

#[test]
fn a_guest_is_not_blamed_for_what_the_process_lacks() {
    let project = Project::new([]);
    project.write("three-gibibytes.wat", "(module (memory 49152) (func (export \"f\") (result i32) (i32.const 1)))");
    let grows = "(module (memory 1) (func (export \"f\")
        (if (i32.eq (memory.grow (i32.const 49152)) (i32.const -1)) (then unreachable))))";
    project.write("grows.wat", grows);
    for file in ["three-gibibytes.wat", "grows.wat"] {
        let ran = run(&project, &[file, "--memory", "4GiB", "--export", "f", "--raw"]);
        let detail = "internal: the process has too little memory or address space for an instance of the function";
        assert_eq!(ran.exit_code, 70, "{file}: {ran:#?}");
        assert!(ran.stderr.contains(detail), "{file}: {ran:#?}");
    }
}
