//! `nebula` in a shell and in a container: the files that it makes, its errors about missing resources, its exit codes,
//! signals, completions and manual pages.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, symlink},
        process::CommandExt as _,
    },
    process::Command,
};

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project};

const SAME: &str = "(module (func (export \"same\") (param i32) (result i32) (local.get 0)))";

fn project() -> Project {
    let project = Project::new([]);
    project.write("same.wat", SAME);
    project
}

fn file_names(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_command_that_reads_does_not_make_a_store_and_says_that_there_is_none() {
    let (nebula, project) = (Nebula::built(), project());
    project.write("none/notes.txt", "not a store");
    let reads: [&[&str]; 4] = [&["list"], &["list", "--json"], &["inspect", "treats"], &["run", "treats", "10"]];
    for store in ["mistyped", "mistyped/deeper", "none"] {
        for read in reads {
            let output = nebula.run(&project, &[read, &["--store", store]].concat(), b"");
            let message = format!(": there is no store at file://{}: nebula publish", project.join(store).display());
            assert_eq!((output.exit_code, output.text().as_str()), (66, ""), "{read:?}: {output:#?}");
            assert!(output.stderr.contains(&message), "{read:?}: {output:#?}");
        }
    }
    assert_eq!(file_names(&project), ["nebula.toml", "none", "same.wat"]);
    assert_eq!(fs::read_dir(project.join("none")).unwrap().count(), 1);
}

#[test]
fn run_with_a_file_name_instead_of_a_function_suggests_the_file() {
    let project = project();
    project.write("same", SAME);
    let output = Nebula::built().run(&project, &["run", "same", "10"], b"");
    assert_eq!(output.exit_code, 66, "{output:#?}");
    assert!(output.stderr.contains("; there is a file of that name: ./same"), "{output:#?}");
}

#[test]
fn the_error_names_the_path_that_prevents_a_store_or_a_cache() {
    let (nebula, project) = (Nebula::built(), project());
    let at = |path: &str| project.join(path).display().to_string();
    symlink(at("nowhere"), at("link")).unwrap();
    symlink("circle", at("circle")).unwrap();
    let dangling = format!("{} is a link to {}, which is not there", at("link"), at("nowhere"));
    let circular = format!("{} is a link to circle, which leads in a circle", at("circle"));
    let not_a_folder = format!("{} is not a folder", at("same.wat"));
    for (place, expected) in [("link", &dangling), ("link/store", &dangling), ("circle", &circular)] {
        for command in [&["list"][..], &["publish", "same", "same.wat"]] {
            let output = nebula.run(&project, &[command, &["--store", place]].concat(), b"");
            assert_eq!(output.exit_code, 69, "{output:#?}");
            assert!(output.stderr.contains(expected) && !output.stderr.contains("File exists"), "{output:#?}");
        }
    }
    let output = nebula.run(&project, &["publish", "same", "same.wat", "--store", "same.wat"], b"");
    assert!(output.exit_code == 69 && output.stderr.contains(&not_a_folder), "{output:#?}");
    for (cache, expected) in [("link", "link is a link to"), ("same.wat", "same.wat is not a folder")] {
        let output = nebula.run(&project, &["run", "same.wat", "1", "--cache", cache], b"").expect_success();
        assert_eq!(output.stderr.matches("will not be kept").count(), 1, "{output:#?}");
        assert!(output.stderr.contains(expected), "{output:#?}");
    }
}

#[test]
fn the_error_says_that_a_module_is_compressed() {
    let (nebula, project) = (Nebula::built(), project());
    project.write("same.wasm.gz", b"\x1f\x8b\x08\0\0\0\0\0");
    let expected = "invalid: the file is not WebAssembly but compressed with gzip: decompress it first";
    for command in [&["run", "./same.wasm.gz", "1"][..], &["publish", "same", "same.wasm.gz"]] {
        let output = nebula.run(&project, command, b"");
        assert!(output.exit_code == 65 && output.stderr.contains(expected), "{output:#?}");
    }
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let (nebula, project) = (Nebula::built(), project());
    project.write("marked.wat", format!("\u{feff}{SAME}"));
    let run = |arguments: &[&str], stdin: &str| {
        let output = nebula.run(&project, &[&["run", "marked.wat"], arguments].concat(), stdin.as_bytes());
        output.expect_success().text()
    };
    assert_eq!(run(&[], "\u{feff}1\n2\n\u{feff}3"), "1\n2\n3\n");
    assert_eq!(run(&["--raw"], "\u{feff}1\r\n"), "1");
    assert_eq!(run(&["\u{feff}1"], ""), "1\n");
    project.write("nebula.toml", "\u{feff}[functions.same]\nsource = \"marked.wat\"\nmax_request = \"1KiB\"\n");
    let published = nebula.publish(&project, "same", &project.join("marked.wat"), &["--config", "nebula.toml"]);
    assert!(published.expect_success().text().starts_with("same version 1"));
}

#[test]
fn a_path_may_have_bytes_that_are_not_utf_8() {
    let (nebula, project) = (Nebula::built(), project());
    let odd = OsStr::from_bytes(b"od\xff");
    let folder = project.join(odd);
    // Some file systems refuse such a name.
    if fs::create_dir(&folder).is_err() {
        return;
    }
    fs::write(folder.join("same.wat"), SAME).unwrap();
    let run = |arguments: &[&OsStr]| {
        ProcessOutput::from(nebula.command(&project, arguments).output().unwrap()).expect_success().text()
    };
    let (file, store) = (folder.join("same.wat"), folder.join("store"));
    let word = |text: &'static str| OsStr::new(text);
    assert_eq!(run(&[word("run"), file.as_os_str(), word("7")]), "7\n");
    let typed = folder.join("typed.wasm");
    fs::copy(Guest::named("typed-init").unwrap().path, &typed).unwrap();
    assert!(run(&[word("inspect"), typed.as_os_str()]).contains("/od\\xff/typed.wasm' "));
    let store = [word("--store"), store.as_os_str()];
    run(&[&[word("publish"), word("same"), file.as_os_str()][..], &store].concat());
    assert_eq!(run(&[&[word("run"), word("same"), word("8")][..], &store].concat()), "8\n");
    let granted = [folder.as_os_str(), word("::/data")].join(word(""));
    let files = Guest::named("files").unwrap().path;
    let script = "echo '[\"read\", \"/data/same.wat\"]' | \"$0\" run \"$1\" --dir \"$2\" --raw";
    let mut shell = nebula.shell(script, &project, &[]);
    let read = ProcessOutput::from(shell.arg(files).arg(granted).output().unwrap()).expect_success().text();
    assert!(read.contains("(module"), "{read}");
}

#[test]
fn a_blob_is_written_to_a_file_as_a_whole_or_not_at_all_and_to_a_pipe_as_far_as_it_is_read() {
    // With no services configured, blobs are beside the store.
    let nebula = Nebula::built().with_environment([("NEBULA_SERVICES", "{}".to_owned())]);
    let project = Project::new([]);
    let film = vec![7; 3 << 20];
    project.write("film", &film);
    project.write("old", "old");
    let run = |arguments: &[&str]| nebula.run(&project, &[&["blobs"], arguments].concat(), b"");
    let _ = run(&["put", "pictures", "film", "film"]).expect_success();
    let cases = [("none", "old", 66), ("none", "new", 66), ("film", "nowhere/new", 74), ("film", ".", 74)];
    for (name, file, code) in cases {
        let output = run(&["get", "pictures", name, "-o", file]);
        assert_eq!(output.exit_code, code, "{output:#?}");
    }
    assert_eq!(file_names(&project), ["film", "nebula.toml", "old", "store"]);
    assert_eq!(fs::read_to_string(project.join("old")).unwrap(), "old");
    let _ = run(&["get", "pictures", "film", "-o", "old"]).expect_success();
    assert_eq!(fs::read(project.join("old")).unwrap(), film);
    let script = "{ \"$0\" \"$@\"; echo $? >code; } | head -c 1 >read";
    let output = nebula.run_in_shell(script, &project, &["blobs", "get", "pictures", "film"]);
    assert_eq!((output.stderr.as_str(), fs::read_to_string(project.join("code")).unwrap().as_str()), ("", "0\n"));
    let listed = run(&["list", "pictures", "--store", "mistyped"]).expect_success();
    assert_eq!((listed.text().as_str(), project.join("mistyped").exists()), ("", false));
}

/// Whether a process succeeded, or failed with an error message and without a panic.
fn ended_cleanly(output: &ProcessOutput) -> bool {
    let has_error = output.stderr.contains("error: ") && [69, 74, 78].contains(&output.exit_code);
    !output.stderr.contains("panicked") && (output.exit_code == 0 || has_error)
}

#[test]
fn a_lack_of_file_descriptors_is_an_error_and_not_a_panic() {
    let (nebula, project) = (Nebula::built(), project());
    let _ = nebula.publish(&project, "same", &project.join("same.wat"), &[]).expect_success();
    let commands: [&[&str]; 5] = [
        &["run", "same.wat", "1"],
        &["run", "same", "1"],
        &["list"],
        &["inspect", "same"],
        &["publish", "f", "same.wat"],
    ];
    for command in commands {
        let codes: Vec<_> = (4..24)
            .map(|limit| {
                let output =
                    nebula.run_in_shell(&format!("ulimit -n {limit} && exec \"$0\" \"$@\""), &project, command);
                assert!(ended_cleanly(&output), "{command:?} with {limit}: {output:#?}");
                output.exit_code
            })
            .collect();
        assert_eq!((codes.first(), codes.last()), (Some(&69), Some(&0)), "{command:?}: {codes:?}");
    }
}

#[test]
fn a_lack_of_threads_is_an_error_and_not_a_panic() {
    /// The id of a user without other processes. The limit counts all processes of a user.
    const UNUSED_USER: u32 = 64_321;

    let (nebula, project) = (Nebula::built(), project());
    let is_root = fs::metadata(project.path()).unwrap().uid() == 0;
    let copy = project.join("nebula");
    fs::copy(nebula.command(&project, [""]).get_program(), &copy).unwrap();
    Command::new("chmod").args(["-R", "a+rwX"]).arg(project.path()).status().unwrap();
    // A user with other processes is over the limit before the first thread, so only a limit of 1 is tested.
    for limit in if is_root { 1..12 } else { 1..2 } {
        let set = format!("ulimit -u {limit} 2>/dev/null || ulimit -p {limit}");
        let script = format!("{set}; exec ./nebula run same.wat 1 --cache ./cache-{limit}");
        let mut shell = nebula.shell(&script, &project, &[]);
        if is_root {
            shell.uid(UNUSED_USER).gid(UNUSED_USER);
        }
        let output = ProcessOutput::from(shell.output().unwrap());
        assert!(ended_cleanly(&output), "{limit}: {output:#?}");
        assert!(limit > 1 || output.exit_code == 69, "{output:#?}");
    }
}

/// Whether the system allows a new process namespace.
#[cfg(target_os = "linux")]
fn has_namespaces() -> bool {
    Command::new("unshare").args(["-r", "-p", "-f", "true"]).status().is_ok_and(|status| status.success())
}

/// Runs a script as the first process of a namespace, like the main process of a container.
#[cfg(target_os = "linux")]
fn run_as_first_process(script: &str, project: &Project, arguments: &[&str]) -> ProcessOutput {
    Nebula::built().run_in_shell(
        &format!("exec unshare -r -p -f /bin/sh -c '{script}' \"$0\" \"$@\""),
        project,
        arguments,
    )
}

#[test]
#[cfg(target_os = "linux")]
fn the_first_process_of_a_container_ends_at_a_signal_after_writing_its_results() {
    if !has_namespaces() {
        return;
    }
    let project = project();
    let fibonacci = Guest::named("recursive-fibonacci").unwrap().path;
    // The second event runs until its timeout.
    project.write("events", "1\n99\n");
    for (signal, code) in [("HUP", 129), ("INT", 130), ("QUIT", 131), ("TERM", 143)] {
        let script = format!(
            "rm -f results; mkfifo results
             (exec 3<results; read line <&3 && echo $line && kill -{signal} 1; exec tail -f /dev/null) &
             exec \"$0\" \"$@\" <events >results"
        );
        let output = run_as_first_process(
            &script,
            &project,
            &["run", fibonacci.to_str().unwrap(), "--jobs", "1", "--timeout", "20s"],
        );
        assert_eq!((output.exit_code, output.text().as_str()), (code, "1\n"), "{signal}: {output:#?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_first_process_of_a_container_ends_at_a_signal_before_it_serves() {
    if !has_namespaces() {
        return;
    }
    let project = project();
    project
        .write("nebula.toml", "[functions.f]\nsource = \"f.wat\"\nbuild = \"kill -TERM 1; exec tail -f /dev/null\"\n");
    let output = run_as_first_process("exec \"$0\" \"$@\"", &project, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.exit_code, 143, "{output:#?}");
}

#[test]
fn completions_exist_for_every_shell_and_work_in_bash() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = nebula.run(&project, &["completions", shell], b"");
        assert_eq!(
            (output.exit_code, output.text().contains("inspect"), output.stderr.as_str()),
            (0, true, ""),
            "{shell}"
        );
        project.write(shell, output.text());
    }
    let complete = |words: &str, last: usize| {
        let script = format!(
            "source ./bash; COMP_WORDS=({words}); COMP_CWORD={last}; _nebula nebula \"${{COMP_WORDS[{last}]}}\" \
             \"${{COMP_WORDS[{last} - 1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["-c", &script]).current_dir(project.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("nebula ser", 1), "serve\n");
    assert_eq!(complete("nebula run --ti", 2), "--timeout\n");
    assert_eq!(complete("nebula new x --kind co", 4), "core command\n");
}

#[test]
fn every_command_has_a_manual_page() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    let output = nebula.run(&project, &["man", "share/man1"], b"");
    assert_eq!((output.exit_code, output.text().as_str(), output.stderr.as_str()), (0, "", ""));
    let mut pages = vec!["nebula.1".to_owned()];
    for group in ["", "blobs", "kv", "package", "token"] {
        let arguments: Vec<_> = group.split_whitespace().chain(["--help"]).collect();
        let help = nebula.run(&project, &arguments, b"").text();
        let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let commands =
            commands.filter(|line| !line.starts_with("   ")).map(|line| line.split_whitespace().next().unwrap());
        let path = if group.is_empty() { "nebula".to_owned() } else { format!("nebula-{group}") };
        pages.extend(commands.filter(|name| *name != "help").map(|name| format!("{path}-{name}.1")));
    }
    pages.sort();
    let folder = project.join("share/man1");
    let mut written: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    written.sort();
    assert_eq!(written, pages);
    assert!(fs::read_to_string(folder.join("nebula-run.1")).unwrap().contains("seq 1000 | nebula run treats"));
}
