//! The command as a process, without a function to run. That there is such a test has Cargo build the command whenever
//! it tests the workspace: `integration-tests` runs it.

use std::process::{Command, Output};

#[expect(clippy::unwrap_used, reason = "a test that cannot start the command has failed")]
fn nebula(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nebula")).args(arguments).output().unwrap()
}

#[test]
fn help_is_a_result_and_shows_commands_examples_and_exit_codes() {
    let help = nebula(&["--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    assert_eq!((help.status.code(), help.stderr.as_slice()), (Some(0), b"".as_slice()));
    for expected in ["new", "serve", "run", "publish", "list", "inspect", "Examples:", "Exit codes:"] {
        assert!(text.contains(expected), "{expected} is not in: {text}");
    }
}

#[test]
fn the_version_is_the_package_s() {
    assert_eq!(nebula(&["--version"]).stdout, format!("nebula {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
}

#[test]
fn a_command_line_that_says_nothing_is_a_wrong_one() {
    for arguments in [&[][..], &["fly"], &["run"], &["serve", "--fast"]] {
        let wrong = nebula(arguments);
        assert_eq!((wrong.status.code(), wrong.stdout.as_slice()), (Some(2), b"".as_slice()), "{arguments:?}");
        assert!(String::from_utf8_lossy(&wrong.stderr).contains("Usage: nebula"), "{arguments:?}");
    }
}
