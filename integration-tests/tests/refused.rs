//! Modules that cannot run are refused on every way in, with the reason, and nothing is kept of them.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use nebula_integration_tests::{Guest, Nebula, Project, Ran, Server};
use nebula_runtime::{Architecture, ByteSize, LimitSettings, RegistryErrorKind, test_kit};

/// A module that cannot run, and a part of what is said about it.
struct Module {
    name: String,
    file: String,
    bytes: Vec<u8>,
    reason: String,
}

impl Module {
    /// Those that are no WebAssembly, or not all of it, and the guests that want or offer the wrong things.
    fn all() -> Vec<Self> {
        let echo = Guest::named("echo").unwrap();
        let whole = std::fs::read(&echo.path).unwrap();
        let not_wasm = "the file is not WebAssembly";
        let broken: [(&str, &[u8], &str); 7] = [
            ("empty.wasm", b"", "the module is empty"),
            ("octets.wasm", b"\x89PNG\r\n\xff", not_wasm),
            ("text.wasm", b"hello there", not_wasm),
            ("unbalanced.wat", b"(module (func (export \"f\")", not_wasm),
            ("header.wasm", &whole[..4], "the module is not valid WebAssembly"),
            ("truncated.wasm", &whole[..whole.len() / 2], "the module is not valid WebAssembly"),
            ("of-another-type.wat", b"(module (func (export \"f\") (result i32) (i64.const 1)))", "type mismatch"),
        ];
        let broken = broken.map(|(file, bytes, reason)| Self::new(file, bytes.to_vec(), reason));
        let guests = Guest::all().into_iter().filter_map(|guest| {
            let refused = guest.refused?;
            Some(Self::new(&format!("{}.wat", guest.name), std::fs::read(guest.path).unwrap(), &refused.detail))
        });
        broken.into_iter().chain(guests).collect()
    }

    fn new(file: &str, bytes: Vec<u8>, reason: &str) -> Self {
        let name = file.split('.').next().unwrap().to_owned();
        Self { name, file: file.to_owned(), bytes, reason: reason.to_owned() }
    }

    fn check(&self, ran: &Ran, expected: &str) {
        let stderr = &ran.stderr;
        assert_eq!(ran.exit_code, 65, "{}: {ran:#?}", self.file);
        assert!(stderr.contains(expected) && stderr.contains(&self.reason), "{}: {ran:#?}", self.file);
        assert!(stderr.contains("invalid: ") && !stderr.contains("panicked"), "{}: {ran:#?}", self.file);
        assert_eq!(ran.text(), "", "{}", self.file);
    }
}

fn project(modules: &[Module]) -> Project {
    let project = Project::new([]);
    modules.iter().for_each(|module| project.write(&module.file, &module.bytes));
    project
}

#[test]
fn publish_refuses_it_and_names_function_and_file() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    for module in &modules {
        let ran = nebula.run(&project, &["publish", &module.name, &module.file], b"");
        module.check(&ran, &format!("error: failed to publish function {} from {}\n", module.name, module.file));
    }
    assert_eq!(nebula.run(&project, &["list", "--json"], b"").successful().text().trim(), "[]");
}

#[test]
fn a_refused_version_leaves_the_last_one_in_place() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    let treats = Guest::named("treats").unwrap().path;
    drop(nebula.publish(&project, "treats", &treats, &[]).successful());
    for module in &modules {
        let ran = nebula.run(&project, &["publish", "treats", &module.file], b"");
        module.check(&ran, "error: failed to publish function treats from ");
    }
    let inspected = nebula.run(&project, &["inspect", "treats", "--json"], b"").successful();
    let info: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(info["version"], 1);
    assert_eq!(nebula.run(&project, &["run", "treats", "10"], b"").successful().text(), "10\n");
}

#[test]
fn serve_does_not_start_and_names_function_and_file() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    for module in &modules {
        project.write("nebula.toml", format!("[functions.{}]\nsource = {:?}\n", module.name, module.file));
        let ran = Server::start(&nebula, &project, &[]).err().expect("a server that does not start");
        module.check(&ran, &format!("error: failed to publish function {} from {}\n", module.name, module.file));
    }
}

#[test]
fn run_refuses_it() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    for module in &modules {
        module.check(&nebula.run(&project, &["run", &module.file, "1"], b""), "error: ");
    }
}

#[test]
fn an_export_of_references_is_refused_as_the_one_to_call() {
    let (nebula, references) = (Nebula::built(), Guest::named("references").unwrap().path);
    let ran = nebula.run(&Project::new([]), &["run", references.to_str().unwrap(), "--export", "wrap", "1"], b"");
    assert_eq!(ran.exit_code, 65, "{ran:#?}");
    assert!(ran.stderr.contains("export \"wrap\" takes or returns references; only numbers"), "{ran:#?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    project.write("serve.toml", "[functions.gone]\nsource = \"gone.wasm\"\n");
    let commands: [&[&str]; 3] =
        [&["publish", "gone", "gone.wasm"], &["run", "gone.wasm", "1"], &["serve", "--config", "serve.toml"]];
    for command in commands {
        let ran = nebula.run(&project, command, b"");
        assert_eq!(ran.exit_code, 66, "{ran:#?}");
        assert!(ran.stderr.contains("gone.wasm") && ran.stderr.contains("No such file"), "{ran:#?}");
    }
}

#[test]
fn a_package_has_no_function_that_its_ceilings_have_no_room_for() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut ceilings = LimitSettings::default();
    ceilings.memory = Some(ByteSize::mib(64));
    let packaged = tokio.block_on(async {
        let runtime = test_kit::runtime([("f", "(module (memory 2048) (func (export \"f\")))")]).await.unwrap();
        let functions = ["f".parse().unwrap()];
        runtime.package(&functions, Architecture::X86_64, LimitSettings::default(), ceilings).await
    });
    let error = packaged.unwrap_err();
    let detail = "function f cannot be packaged: the module declares a memory of 128.0 MiB; a function has at most 64.0 MiB \
                  here";
    assert_eq!((error.kind(), error.detail()), (RegistryErrorKind::Invalid, detail));
}
