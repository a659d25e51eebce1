//! A process whose address space is limited: it has no room for a pool of instances or for memories with reserved
//! space.

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project};

/// The limit in KiB: a hundredth of the space that a server reserves.
const LIMIT_KIB: u32 = 3_000_000;

/// Runs `nebula run` with limited address space.
fn run(project: &Project, arguments: &[&str]) -> ProcessOutput {
    let limited = format!("ulimit -v {LIMIT_KIB} && exec \"$0\" \"$@\"");
    Nebula::built().run_in_shell(&limited, project, &[&["run"], arguments].concat())
}

#[test]
fn guests_of_each_kind_run_without_reserved_address_space() {
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
        // The second run takes the code from the code cache.
        for _ in 0..2 {
            let output = run(&project, &[&[file.to_str().unwrap()], arguments].concat()).expect_success();
            assert_eq!(output.text().trim_end(), result, "{guest}");
            assert!(output.stderr.contains("address space is short"), "{guest}: {output:#?}");
        }
    }
}

#[test]
fn a_lack_of_address_space_is_not_the_guests_error() {
    let project = Project::new([]);
    project.write("three-gibibytes.wat", "(module (memory 49152) (func (export \"f\") (result i32) (i32.const 1)))");
    let grows = "(module (memory 1) (func (export \"f\")
        (if (i32.eq (memory.grow (i32.const 49152)) (i32.const -1)) (then unreachable))))";
    project.write("grows.wat", grows);
    for file in ["three-gibibytes.wat", "grows.wat"] {
        let output = run(&project, &[file, "--memory", "4GiB", "--export", "f", "--raw"]);
        let detail = "internal: the process has too little memory or address space for an instance of the function";
        assert_eq!(output.exit_code, 70, "{file}: {output:#?}");
        assert!(output.stderr.contains(detail), "{file}: {output:#?}");
    }
}
