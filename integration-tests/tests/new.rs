//! `nebula new`: the tools of the language build the new project, then a server serves its function.
//!
//! The tests of a language are ignored if its tools are not installed, and the list of tests says why. Tests that take
//! minutes run only in `just guests-all`.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "new/guestbook.rs"]
mod guestbook;
#[path = "new/words.rs"]
mod words;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use http::Request;
use libtest_mimic::{Arguments, Trial};
use nebula_integration_tests::{HttpResponse, Nebula, Project, Server};
use toml::Table;

/// Finds the tools of a language. The error says what is missing.
type FindTools = fn() -> Result<Tools, String>;

/// Each language, the kinds that it supports, and the function that finds its tools.
const LANGUAGES: [(&str, &[Kind], FindTools); 7] = [
    ("rust", &[Kind::Core, Kind::Command, Kind::Http, Kind::Typed], rust),
    // It builds the same crates as the typed function does.
    ("rust", &[Kind::Counter], || check_heavy_wanted().and_then(|()| rust())),
    ("c", &[Kind::Core, Kind::Command], zig),
    ("c", &[Kind::Counter], zig_with_bindings),
    ("javascript", &[Kind::Http, Kind::Typed, Kind::Counter], node),
    ("python", &[Kind::Command, Kind::Http, Kind::Typed, Kind::Counter], python),
    ("wat", &[Kind::Core, Kind::Command, Kind::Typed, Kind::Counter], || Ok(Tools::default())),
];

#[derive(Clone, Copy)]
enum Kind {
    Core,
    Command,
    Http,
    Typed,
    /// A typed function with a key-value store.
    Counter,
}

/// How the tests run the commands of a project.
#[derive(Default)]
struct Tools {
    /// A command that runs before all others.
    prepare: &'static str,
    /// A command, and the command that replaces it.
    substitute: Option<(&'static str, &'static str)>,
    environment: Vec<(&'static str, PathBuf)>,
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = LANGUAGES.into_iter().flat_map(|(language, kinds, tools)| {
        let missing = tools().err();
        kinds.iter().map(move |kind| {
            let name = format!("{language}::{}", kind.name());
            let trial = Trial::test(name, move || {
                check(language, *kind, &tools()?);
                Ok(())
            });
            match &missing {
                Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
                None => trial,
            }
        })
    });
    let trials = trials.chain([guestbook::trial(), words::trial()]);
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn check(language: &str, kind: Kind, tools: &Tools) {
    // No service is configured, as on a machine where somebody begins.
    let nebula = Nebula::built().with_environment([("NEBULA_SERVICES", "{}".to_owned())]);
    let project = Project::new([]);
    let arguments = [&["new", "my-function", "--language", language], kind.options()].concat();
    let output = nebula.run(&project, &arguments, b"").expect_success().text();
    assert!(output.starts_with("wrote\n") && output.ends_with("nebula serve --watch\n"), "{output}");

    let folder = project.join("my-function");
    let config: Table = fs::read_to_string(folder.join("nebula.toml")).unwrap().parse().unwrap();
    if let Some(build) = config["functions"]["my-function"].get("build") {
        tools.run(&folder, tools.prepare);
        tools.run(&folder, build.as_str().unwrap());
    }
    for expected in kind.expected_results(language) {
        let server = Server::start(&nebula, &project, &["--config", "my-function/nebula.toml"]).unwrap();
        let response = kind.call(language, &server);
        assert_eq!((response.status, response.text().as_str()), (200, *expected), "{}", server.log());
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Command => "command",
            Self::Http => "http",
            Self::Typed => "typed",
            Self::Counter => "counter",
        }
    }

    /// The options of `nebula new` that choose it.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Core => &["--kind", "core"],
            Self::Command => &["--kind", "command"],
            Self::Http => &["--kind", "http"],
            Self::Typed => &["--kind", "typed"],
            Self::Counter => &["--with", "keyvalue"],
        }
    }

    fn call(self, language: &str, server: &Server) -> HttpResponse {
        match self {
            Self::Core => server.get("/api/my-function/2/3"),
            Self::Typed if language == "wat" => server.get("/api/my-function/2/3"),
            Self::Typed => server.send(Request::post("/api/my-function").body(r#"{"name":"Ada","age":36}"#).unwrap()),
            Self::Command => server.send(Request::post("/api/my-function").body("Ada").unwrap()),
            Self::Http => server.get("/api/my-function/some/path"),
            Self::Counter => server.send(Request::post("/api/my-function/home").body("").unwrap()),
        }
    }

    /// The results of calls, each by a server of its own.
    fn expected_results(self, language: &str) -> &'static [&'static str] {
        match self {
            Self::Core => &["5"],
            Self::Typed if language == "wat" => &["5"],
            Self::Typed => &[r#""Hello, Ada of 36 years!""#],
            Self::Command if language == "wat" => &["Ada"],
            Self::Command => &["Hello, Ada!\n"],
            Self::Http => &["Hello from /some/path\n"],
            Self::Counter => &["1", "2"],
        }
    }
}

impl Tools {
    fn run(&self, folder: &Path, command: &str) {
        let (from, to) = self.substitute.unwrap_or_default();
        let command = if from.is_empty() { command.to_owned() } else { command.replace(from, to) };
        let mut shell = Command::new("sh");
        // Cargo sets these variables for the tests. The user of a project does not have them.
        let variables = env::vars_os().map(|(name, _)| name);
        let of_cargo = variables.filter(|name| name.to_string_lossy().starts_with("CARGO") && name != "CARGO_HOME");
        for name in of_cargo.chain(["RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"].map(Into::into)) {
            shell.env_remove(name);
        }
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = shell.arg("-c").arg(format!("exec 2>&1\n{command}")).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{command}: {}\n{}", output.status, String::from_utf8_lossy(&output.stdout));
    }
}

/// Rust with its WebAssembly targets, or the toolchain that `guests/build.sh` makes if it cannot download them.
fn rust() -> Result<Tools, String> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let own = cache.map(|cache| cache.join("nebula/rust-wasm/usr")).filter(|own| own.exists());
    Ok(Tools { environment: own.map(|own| ("RUSTUP_TOOLCHAIN", own)).into_iter().collect(), ..Tools::default() })
}

fn zig() -> Result<Tools, String> {
    if works("zig", &["version"]) {
        return Ok(Tools::default());
    }
    match works("python3", &["-m", "ziglang", "version"]) {
        true => Ok(Tools { substitute: Some(("zig cc", "python3 -m ziglang cc")), ..Tools::default() }),
        false => Err("zig is not installed: pip install ziglang".to_owned()),
    }
}

/// Zig, and what makes components of its modules.
fn zig_with_bindings() -> Result<Tools, String> {
    let tools = zig()?;
    match works("wit-bindgen", &["--version"]) && works("wasm-tools", &["--version"]) {
        true => Ok(tools),
        false => {
            Err("wit-bindgen and wasm-tools are not installed: cargo install wit-bindgen-cli wasm-tools".to_owned())
        }
    }
}

fn node() -> Result<Tools, String> {
    check_heavy_wanted()?;
    match works("npm", &["--version"]) {
        true => Ok(Tools { prepare: "npm install --no-audit --no-fund", ..Tools::default() }),
        false => Err("npm is not installed".to_owned()),
    }
}

fn python() -> Result<Tools, String> {
    check_heavy_wanted()?;
    let prepare = "python3 -m venv .venv && .venv/bin/pip install --quiet --requirement requirements.txt";
    match works("python3", &["-m", "venv", "--help"]) {
        true => Ok(Tools {
            prepare,
            substitute: Some(("componentize-py -d", ".venv/bin/componentize-py -d")),
            ..Tools::default()
        }),
        false => Err("python3 with venv is not installed".to_owned()),
    }
}

/// Ignores tests that take minutes, unless they are wanted. Their modules contain a whole interpreter.
fn check_heavy_wanted() -> Result<(), String> {
    match env::var_os("NEBULA_TEST_HEAVY_GUESTS") {
        Some(_) => Ok(()),
        None => Err("only in `just guests-all`".to_owned()),
    }
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
