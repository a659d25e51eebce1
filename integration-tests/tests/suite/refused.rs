//! Every command refuses a module that cannot run, says why, and stores nothing of it.

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project, Server};
use nebula_runtime::{Architecture, ByteSize, PackageSettings, RegistryErrorKind, test_kit};

/// A module that cannot run, and a part of the error's message.
struct Module {
    name: String,
    file: String,
    bytes: Vec<u8>,
    reason: String,
}

impl Module {
    /// Files that are not valid WebAssembly, and the guests that cannot be published.
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
            let rejection = guest.rejection?;
            Some(Self::new(&format!("{}.wat", guest.name), std::fs::read(guest.path).unwrap(), &rejection.detail))
        });
        broken.into_iter().chain(guests).collect()
    }

    fn new(file: &str, bytes: Vec<u8>, reason: &str) -> Self {
        let name = file.split('.').next().unwrap().to_owned();
        Self { name, file: file.to_owned(), bytes, reason: reason.to_owned() }
    }

    fn check(&self, output: &ProcessOutput, expected: &str) {
        let stderr = &output.stderr;
        assert_eq!(output.exit_code, 65, "{}: {output:#?}", self.file);
        assert!(stderr.contains(expected) && stderr.contains(&self.reason), "{}: {output:#?}", self.file);
        assert!(stderr.contains("invalid: ") && !stderr.contains("panicked"), "{}: {output:#?}", self.file);
        assert_eq!(output.text(), "", "{}", self.file);
    }
}

fn project(modules: &[Module]) -> Project {
    let project = Project::new([]);
    modules.iter().for_each(|module| project.write(&module.file, &module.bytes));
    project
}

#[test]
fn publish_refuses_the_module_and_names_function_and_file() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    for module in &modules {
        let output = nebula.run(&project, &["publish", &module.name, &module.file], b"");
        module.check(&output, &format!("error: failed to publish function {} from {}\n", module.name, module.file));
    }
    assert_eq!(nebula.run(&project, &["list", "--json"], b"").expect_success().text().trim(), "[]");
}

#[test]
fn a_refused_module_leaves_the_last_version_in_place() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    let treats = Guest::named("treats").unwrap().path;
    drop(nebula.publish(&project, "treats", &treats, &[]).expect_success());
    for module in &modules {
        let output = nebula.run(&project, &["publish", "treats", &module.file], b"");
        module.check(&output, "error: failed to publish function treats from ");
    }
    let inspected = nebula.run(&project, &["inspect", "treats", "--json"], b"").expect_success();
    let info: serde_json::Value = serde_json::from_slice(&inspected.stdout).unwrap();
    assert_eq!(info["version"], 1);
    assert_eq!(nebula.run(&project, &["run", "treats", "10"], b"").expect_success().text(), "10\n");
}

#[test]
fn serve_does_not_start_and_names_function_and_file() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    for module in &modules {
        project.write("nebula.toml", format!("[functions.{}]\nsource = {:?}\n", module.name, module.file));
        let output = Server::start(&nebula, &project, &[]).err().expect("a server that does not start");
        module.check(&output, &format!("error: failed to publish function {} from {}\n", module.name, module.file));
    }
}

#[test]
fn run_refuses_the_module() {
    let (nebula, modules) = (Nebula::built(), Module::all());
    let project = project(&modules);
    for module in &modules {
        module.check(&nebula.run(&project, &["run", &module.file, "1"], b""), "error: ");
    }
}

#[test]
fn an_export_that_takes_references_cannot_be_called() {
    let (nebula, references) = (Nebula::built(), Guest::named("references").unwrap().path);
    let output = nebula.run(&Project::new([]), &["run", references.to_str().unwrap(), "--export", "wrap", "1"], b"");
    assert_eq!(output.exit_code, 65, "{output:#?}");
    assert!(output.stderr.contains("export \"wrap\" takes or returns references; only numbers"), "{output:#?}");
}

#[test]
fn the_error_names_a_missing_file() {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    project.write("serve.toml", "[functions.gone]\nsource = \"gone.wasm\"\n");
    let commands: [&[&str]; 3] = [
        &["publish", "gone", "gone.wasm"],
        &["run", "gone.wasm", "1"],
        &["serve", "--config", "serve.toml", "--listen", "127.0.0.1:0"],
    ];
    for command in commands {
        let output = nebula.run(&project, command, b"");
        assert_eq!(output.exit_code, 66, "{output:#?}");
        assert!(output.stderr.contains("gone.wasm") && output.stderr.contains("No such file"), "{output:#?}");
    }
}

#[test]
fn a_function_that_exceeds_the_ceilings_cannot_be_packaged() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut settings = PackageSettings::default();
    settings.ceilings.memory = Some(ByteSize::mib(64));
    let packaged = tokio.block_on(async {
        let runtime = test_kit::runtime([("f", "(module (memory 2048) (func (export \"f\")))")]).await.unwrap();
        let functions = ["f".parse().unwrap()];
        runtime.package(&functions, Architecture::X86_64, settings).await
    });
    let error = packaged.unwrap_err();
    let detail = "function f cannot be packaged: the module declares a memory of 128.0 MiB; a function has at most 64.0 MiB \
                  here";
    assert_eq!((error.kind(), error.detail()), (RegistryErrorKind::Invalid, detail));
}
