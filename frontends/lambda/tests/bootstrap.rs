//! The program as it is started by hand. `integration-tests` has the tests on Lambda.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// The program's exit code and stderr, with only `variables` in its environment.
fn run(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut bootstrap = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    let output = bootstrap.env_clear().envs(variables.iter().copied()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn outside_of_lambda_the_error_says_what_starts_the_program() {
    let expected = "error: AWS_LAMBDA_FUNCTION_NAME is not set: this program is started by AWS Lambda, or by an emulator \
                    such as cargo lambda\n";
    assert_eq!(run(&[]), (Some(1), expected.to_owned()));
}

#[test]
fn without_a_package_the_error_says_what_makes_one() {
    let of_lambda = [
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_NAME", "tests"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("LAMBDA_TASK_ROOT", "/nowhere"),
        // Nothing listens there, so that nothing is reported.
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:0"),
    ];
    let (code, said) = run(&of_lambda);
    let expected = "error: failed to read the package /nowhere/nebula/package.json; `nebula package` makes one: ";
    assert!(code == Some(1) && said.contains(expected), "{said}");
}
