//! `nebula` as a good citizen of a shell and of a container: what it makes, what it says of what is not there, and how
//! it ends.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

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

use nebula_integration_tests::{Guest, Nebula, Project, Ran};

const SAME: &str = "(module (func (export \"same\") (param i32) (result i32) (local.get 0)))";

fn project() -> Project {
    let project = Project::new([]);
    project.write("same.wat", SAME);
    project
}

fn names(project: &Project) -> Vec<String> {
    let entries = fs::read_dir(project.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn reading_makes_no_store_and_says_that_there_is_none() {
    let (nebula, project) = (Nebula::built(), project());
    project.write("none/notes.txt", "not a store");
    let reads: [&[&str]; 4] = [&["list"], &["list", "--json"], &["inspect", "treats"], &["run", "treats", "10"]];
    for store in ["mistyped", "mistyped/deeper", "none"] {
        for read in reads {
            let ran = nebula.run(&project, &[read, &["--store", store]].concat(), b"");
            let said = format!(": there is no store at file://{}: nebula publish", project.join(store).display());
            assert_eq!((ran.exit_code, ran.text().as_str()), (66, ""), "{read:?}: {ran:#?}");
            assert!(ran.stderr.contains(&said), "{read:?}: {ran:#?}");
        }
    }
    assert_eq!(names(&project), ["nebula.toml", "none", "same.wat"]);
    assert_eq!(fs::read_dir(project.join("none")).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_run_as_a_function_is_named_also_where_there_is_no_store() {
    let project = project();
    project.write("same", SAME);
    let ran = Nebula::built().run(&project, &["run", "same", "10"], b"");
    assert_eq!(ran.exit_code, 66, "{ran:#?}");
    assert!(ran.stderr.contains("; there is a file of that name: nebula run ./same"), "{ran:#?}");
}

#[test]
fn what_stands_in_the_way_of_a_store_or_a_cache_is_named() {
    let (nebula, project) = (Nebula::built(), project());
    let at = |path: &str| project.join(path).display().to_string();
    symlink(at("nowhere"), at("link")).unwrap();
    symlink("circle", at("circle")).unwrap();
    let to_nowhere = format!("{} is a link to {}, which is not there", at("link"), at("nowhere"));
    let in_a_circle = format!("{} is a link to circle, which leads in a circle", at("circle"));
    let a_file = format!("{} is not a folder", at("same.wat"));
    for (place, expected) in [("link", &to_nowhere), ("link/store", &to_nowhere), ("circle", &in_a_circle)] {
        for command in [&["list"][..], &["publish", "same", "same.wat"]] {
            let ran = nebula.run(&project, &[command, &["--store", place]].concat(), b"");
            assert_eq!(ran.exit_code, 69, "{ran:#?}");
            assert!(ran.stderr.contains(expected) && !ran.stderr.contains("File exists"), "{ran:#?}");
        }
    }
    let ran = nebula.run(&project, &["publish", "same", "same.wat", "--store", "same.wat"], b"");
    assert!(ran.exit_code == 69 && ran.stderr.contains(&a_file), "{ran:#?}");
    for (cache, expected) in [("link", "link is a link to"), ("same.wat", "same.wat is not a folder")] {
        let ran = nebula.run(&project, &["run", "same.wat", "1", "--cache", cache], b"").successful();
        assert_eq!(ran.stderr.matches("will not be kept").count(), 1, "{ran:#?}");
        assert!(ran.stderr.contains(expected), "{ran:#?}");
    }
}

#[test]
fn a_packed_module_is_named_as_such() {
    let (nebula, project) = (Nebula::built(), project());
    project.write("same.wasm.gz", b"\x1f\x8b\x08\0\0\0\0\0");
    let expected = "invalid: the file is not WebAssembly but compressed with gzip: decompress it first";
    for command in [&["run", "./same.wasm.gz", "1"][..], &["publish", "same", "same.wasm.gz"]] {
        let ran = nebula.run(&project, command, b"");
        assert!(ran.exit_code == 65 && ran.stderr.contains(expected), "{ran:#?}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_text() {
    let (nebula, project) = (Nebula::built(), project());
    project.write("marked.wat", format!("\u{feff}{SAME}"));
    let run = |arguments: &[&str], stdin: &str| {
        let ran = nebula.run(&project, &[&["run", "marked.wat"], arguments].concat(), stdin.as_bytes());
        ran.successful().text()
    };
    assert_eq!(run(&[], "\u{feff}1\n2\n\u{feff}3"), "1\n2\n3\n");
    assert_eq!(run(&["--raw"], "\u{feff}1\r\n"), "1");
    assert_eq!(run(&["\u{feff}1"], ""), "1\n");
    project.write("nebula.toml", "\u{feff}[functions.same]\nsource = \"marked.wat\"\nmax_request = \"1KiB\"\n");
    let published = nebula.publish(&project, "same", &project.join("marked.wat"), &["--config", "nebula.toml"]);
    assert!(published.successful().text().starts_with("same version 1"));
}

#[test]
fn a_path_need_not_be_utf_8() {
    let (nebula, project) = (Nebula::built(), project());
    let odd = OsStr::from_bytes(b"od\xff");
    let folder = project.join(odd);
    // Some file systems take no such name.
    if fs::create_dir(&folder).is_err() {
        return;
    }
    fs::write(folder.join("same.wat"), SAME).unwrap();
    let run =
        |arguments: &[&OsStr]| Ran::from(nebula.command(&project, arguments).output().unwrap()).successful().text();
    let (file, store) = (folder.join("same.wat"), folder.join("store"));
    let of = |text: &'static str| OsStr::new(text);
    assert_eq!(run(&[of("run"), file.as_os_str(), of("7")]), "7\n");
    let typed = folder.join("typed.wasm");
    fs::copy(Guest::named("typed-init").unwrap().path, &typed).unwrap();
    assert!(run(&[of("inspect"), typed.as_os_str()]).contains("/od\\xff/typed.wasm' "));
    let store = [of("--store"), store.as_os_str()];
    run(&[&[of("publish"), of("same"), file.as_os_str()][..], &store].concat());
    assert_eq!(run(&[&[of("run"), of("same"), of("8")][..], &store].concat()), "8\n");
    let granted = [folder.as_os_str(), of("::/data")].join(of(""));
    let files = Guest::named("files").unwrap().path;
    let script = "echo '[\"read\", \"/data/same.wat\"]' | \"$0\" run \"$1\" --dir \"$2\" --raw";
    let mut shell = nebula.shell(script, &project, &[]);
    let read = Ran::from(shell.arg(files).arg(granted).output().unwrap()).successful().text();
    assert!(read.contains("(module"), "{read}");
}

/// Ends as a process that lacks something does, or as one that has enough.
fn is_told(ran: &Ran) -> bool {
    let is_told = ran.stderr.contains("error: ") && [69, 74, 78].contains(&ran.exit_code);
    !ran.stderr.contains("panicked") && (ran.exit_code == 0 || is_told)
}

#[test]
fn a_lack_of_file_descriptors_is_told_in_a_sentence() {
    let (nebula, project) = (Nebula::built(), project());
    let _ = nebula.publish(&project, "same", &project.join("same.wat"), &[]).successful();
    let commands: [&[&str]; 5] = [
        &["run", "same.wat", "1"],
        &["run", "same", "1"],
        &["list"],
        &["inspect", "same"],
        &["publish", "f", "same.wat"],
    ];
    for command in commands {
        let ended: Vec<_> = (4..24)
            .map(|limit| {
                let ran = nebula.run_by(&format!("ulimit -n {limit} && exec \"$0\" \"$@\""), &project, command);
                assert!(is_told(&ran), "{command:?} with {limit}: {ran:#?}");
                ran.exit_code
            })
            .collect();
        assert_eq!((ended.first(), ended.last()), (Some(&69), Some(&0)), "{command:?}: {ended:?}");
    }
}

#[test]
fn a_lack_of_threads_is_told_in_a_sentence() {
    /// A user who has no other processes: the limit counts all that a user has.
    const STRANGER: u32 = 64_321;

    let (nebula, project) = (Nebula::built(), project());
    let is_root = fs::metadata(project.path()).unwrap().uid() == 0;
    let copy = project.join("nebula");
    fs::copy(nebula.command(&project, [""]).get_program(), &copy).unwrap();
    Command::new("chmod").args(["-R", "a+rwX"]).arg(project.path()).status().unwrap();
    // Other users have other processes, so that they lack the first thread.
    for limit in if is_root { 1..12 } else { 1..2 } {
        let set = format!("ulimit -u {limit} 2>/dev/null || ulimit -p {limit}");
        let script = format!("{set}; exec ./nebula run same.wat 1 --cache ./cache-{limit}");
        let mut shell = nebula.shell(&script, &project, &[]);
        if is_root {
            shell.uid(STRANGER).gid(STRANGER);
        }
        let ran = Ran::from(shell.output().unwrap());
        assert!(is_told(&ran), "{limit}: {ran:#?}");
        assert!(limit > 1 || ran.exit_code == 69, "{ran:#?}");
    }
}

/// Whether a process can be the first of a namespace here.
#[cfg(target_os = "linux")]
fn has_namespaces() -> bool {
    Command::new("unshare").args(["-r", "-p", "-f", "true"]).status().is_ok_and(|status| status.success())
}

/// Runs a script whose process is the first of a namespace.
#[cfg(target_os = "linux")]
fn run_first(script: &str, project: &Project, arguments: &[&str]) -> Ran {
    Nebula::built().run_by(&format!("exec unshare -r -p -f /bin/sh -c '{script}' \"$0\" \"$@\""), project, arguments)
}

#[test]
#[cfg(target_os = "linux")]
fn a_container_s_first_process_ends_at_signals_with_what_it_has_written() {
    if !has_namespaces() {
        return;
    }
    let project = project();
    let fibonacci = Guest::named("recursive-fibonacci").unwrap().path;
    // The second event takes longer than its time.
    project.write("events", "1\n99\n");
    for (signal, code) in [("HUP", 129), ("INT", 130), ("QUIT", 131), ("TERM", 143)] {
        let script = format!(
            "rm -f results; mkfifo results
             (exec 3<results; read line <&3 && echo $line && kill -{signal} 1; exec tail -f /dev/null) &
             exec \"$0\" \"$@\" <events >results"
        );
        let ran =
            run_first(&script, &project, &["run", fibonacci.to_str().unwrap(), "--jobs", "1", "--timeout", "20s"]);
        assert_eq!((ran.exit_code, ran.text().as_str()), (code, "1\n"), "{signal}: {ran:#?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_container_s_first_process_ends_at_a_signal_also_before_it_serves() {
    if !has_namespaces() {
        return;
    }
    let project = project();
    project
        .write("nebula.toml", "[functions.f]\nsource = \"f.wat\"\nbuild = \"kill -TERM 1; exec tail -f /dev/null\"\n");
    let ran = run_first("exec \"$0\" \"$@\"", &project, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.exit_code, 143, "{ran:#?}");
}

#[test]
fn completions_complete_in_bash_and_are_there_for_other_shells() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = nebula.run(&project, &["completions", shell], b"");
        assert_eq!((ran.exit_code, ran.text().contains("inspect"), ran.stderr.as_str()), (0, true, ""), "{shell}");
        project.write(shell, ran.text());
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
    let ran = nebula.run(&project, &["man", "share/man1"], b"");
    assert_eq!((ran.exit_code, ran.text().as_str(), ran.stderr.as_str()), (0, "", ""));
    let help = nebula.run(&project, &["--help"], b"").text();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = commands.filter(|line| !line.starts_with("   ")).map(|line| line.split_whitespace().next().unwrap());
    let mut pages = vec!["nebula.1".to_owned(), "nebula-package-lambda.1".to_owned()];
    pages.extend(commands.filter(|name| *name != "help").map(|name| format!("nebula-{name}.1")));
    pages.sort();
    let folder = project.join("share/man1");
    let mut made: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    made.sort();
    assert_eq!(made, pages);
    assert!(fs::read_to_string(folder.join("nebula-run.1")).unwrap().contains("seq 1000 | nebula run treats"));
}
