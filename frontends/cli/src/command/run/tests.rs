use std::{fs, time::Duration};

use clap::Parser as _;
use nebula_runtime::{ByteSize, DirGrant, FunctionConfig};

use super::*;
use crate::cli::{Cli, Command};

fn parse(line: &str) -> Result<Run, String> {
    let arguments = ["nebula", "run"].into_iter().chain(line.split_whitespace());
    match Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.command {
        Command::Run(run) => Ok(*run),
        other => panic!("{other:?}"),
    }
}

/// The ARGs and the ARGV of a line.
fn arguments(line: &str) -> (Vec<String>, Vec<String>) {
    let run = parse(line).unwrap();
    (run.args, run.argv)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn args_may_be_negative_and_those_after_two_dashes_are_kept_apart() {
    let cases = [
        ("add", "", ""),
        ("add 1 2", "1 2", ""),
        ("add -1 -2.5 -1e9", "-1 -2.5 -1e9", ""),
        ("add -1 2 --output full", "-1 2", ""),
        ("add -- -1 2", "", "-1 2"),
        ("add 1 -- -inf --raw", "1", "-inf --raw"),
        ("./greet.wasm --raw -- --name Ada -- x", "", "--name Ada -- x"),
    ];
    for (line, args, argv) in cases {
        assert_eq!(arguments(line), (words(args), words(argv)), "{line}");
    }
}

#[test]
fn an_unknown_option_is_not_an_argument() {
    let error = parse("add -1 --twice").unwrap_err();
    assert!(error.contains("unexpected argument '--twice'"), "{error}");
}

#[test]
fn events_come_from_arguments_or_from_stdin_whole_or_by_lines() {
    let jobs = NonZeroUsize::new(3).unwrap();
    assert_eq!(events(words("1 2"), false, 3), Events::Arguments(words("1 2")));
    assert_eq!(events(Vec::new(), true, 3), Events::Raw(Vec::new()));
    assert_eq!(events(words("a"), true, 3), Events::Raw(words("a")));
    assert_eq!(events(Vec::new(), false, 3), Events::Lines { jobs });
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for line in ["add 1 --jobs 2", "add --raw --jobs 2", "add --jobs 0", "add --output all", ""] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn the_options_for_a_file_become_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let line = format!(
        "./f.wasm --export f --env A=1 --env B= --dir {0}/data::/data:rw --allow-host *.a.test:81 --memory 64MiB --timeout 2s \
         --max-request 1MiB --max-response 2MiB",
        folder.path().display()
    );
    let mut expected = FunctionConfig::default();
    expected.export = Some("f".to_owned());
    expected.limits.memory = Some(ByteSize::mib(64));
    expected.limits.timeout = Some(Duration::from_secs(2));
    expected.limits.max_request = Some(ByteSize::mib(1));
    expected.limits.max_response = Some(ByteSize::mib(2));
    expected.args = words("--x");
    expected.env = [("A", "1"), ("B", "")].map(|(name, value)| (name.to_owned(), value.into())).into();
    expected.dirs = vec![DirGrant::new(folder.path().join("data"), "/data").writable()];
    expected.allow_hosts = vec!["*.a.test:81".parse().unwrap()];
    assert_eq!(parse(&line).unwrap().file.config(words("--x")).unwrap(), expected);
}

#[test]
fn a_folder_that_does_not_exist_is_refused_before_anything_runs() {
    let failure = parse("./f.wasm --dir /nowhere::/data").unwrap().file.config(Vec::new()).unwrap_err();
    assert!(failure.to_string().starts_with("the folder /nowhere cannot be granted"), "{failure}");
    assert_eq!(failure.exit_code(), 78);
}

#[test]
fn each_option_for_a_file_is_known_by_its_name() {
    let options = [
        "--export e",
        "--env A=1",
        "--dir a::/a",
        "--allow-host a.test",
        "--memory 1MiB",
        "--timeout 1s",
        "--max-request 1MiB",
        "--max-response 1MiB",
    ];
    for option in options {
        let given = parse(&format!("f {option}")).unwrap().file.first_given();
        assert_eq!(given, option.split(' ').next());
    }
    assert_eq!(parse("f").unwrap().file.first_given(), None);
}

#[test]
fn the_error_for_a_wrong_value_says_what_was_expected() {
    let cases = [
        ("./f.wasm --timeout soon", "'soon' for '--timeout <DURATION>': expected a duration above zero such as"),
        ("./f.wasm --memory lots", "'lots' for '--memory <SIZE>': expected a size above zero such as"),
        ("./f.wasm --dir data", "'data' for '--dir <HOST::GUEST[:rw]>': expected HOST::GUEST"),
        ("./f.wasm --env A", "'A' for '--env <K=V>': expected a variable such as LANG=en"),
        ("Treats", "'Treats' for '<FUNCTION|FILE>': invalid function name"),
    ];
    for (line, expected) in cases {
        let error = parse(line).unwrap_err();
        assert!(error.contains(expected), "{line}: {error}");
    }
}
