//! The projects that `nebula new` makes.

use clap::ValueEnum;

/// The language that a project is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
    C,
    Javascript,
    Python,
    /// WebAssembly's own text format
    Wat,
}

/// The kind of function that a project makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Numbers in, numbers out
    Core,
    /// Stdin in, stdout out
    Command,
    /// An HTTP request in, an HTTP response out (wasi:http)
    Http,
    /// JSON in, JSON out, by the function's own types
    Typed,
}

/// The smallest project of a language and a kind. In its texts, `{{name}}` stands for the project's name, and
/// `{{crate}}` for the form of that name in the names of Cargo's files.
pub(crate) struct Template {
    /// The files of this project alone. The first one is the function itself.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// The path of the built module.
    pub(crate) source: &'static str,
    /// The command that builds it.
    pub(crate) build: Option<&'static str>,
    /// The tools that have to be installed.
    pub(crate) needs: Option<&'static str>,
    /// The command that has to be run once in the project.
    pub(crate) install: Option<&'static str>,
    /// The arguments of a `curl` command that calls it.
    pub(crate) call: &'static str,
    /// More lines of the function's table in `nebula.toml`.
    pub(crate) settings: &'static str,
}

/// The paths of a project's files in its folder, and their texts. They are in the folder of a template, or, after the
/// semicolon, elsewhere in `templates/`.
macro_rules! files {
    ($folder:literal: $($path:literal),* $(; $($other:literal = $from:literal),*)?) => {
        &[
            $(($path, include_str!(concat!("../templates/", $folder, "/", $path))),)*
            $($(($other, include_str!(concat!("../templates/", $from))),)*)?
        ]
    };
}

pub(crate) use files;

const ADD: &str = "localhost:8080/api/{{name}}/2/3";
const GREET: &str = "-d Ada localhost:8080/api/{{name}}";
const REQUEST: &str = "localhost:8080/api/{{name}}/some/path";
const PERSON: &str = r#"--json '{"name":"Ada","age":36}' localhost:8080/api/{{name}}"#;

const RUSTUP_CORE: &str = "[Rust](https://rustup.rs), with `rustup target add wasm32-unknown-unknown`";
const RUSTUP_COMMAND: &str = "[Rust](https://rustup.rs), with `rustup target add wasm32-wasip1`";
pub(crate) const RUSTUP_COMPONENT: &str = "[Rust](https://rustup.rs), with `rustup target add wasm32-wasip2`";
const ZIG: &str = "[Zig](https://ziglang.org), whose C compiler brings all of WASI; `pip install ziglang` has it as \
                   `python -m ziglang cc`";
pub(crate) const NODE: &str = "[Node.js](https://nodejs.org) from 20 on";
pub(crate) const PYTHON: &str = "[Python](https://www.python.org) from 3.10 on";

pub(crate) const NPM: Option<&str> = Some("npm install");
pub(crate) const PIP: Option<&str> = Some("pip install -r requirements.txt");
pub(crate) const NODE_BUILD: Option<&str> = Some("node build.mjs");
pub(crate) const PYTHON_BUILD: Option<&str> = Some("componentize-py -d wit -w app componentize app -o {{name}}.wasm");

impl Template {
    /// The project of this language and kind, if the tools of the language can build such a function.
    pub(crate) fn of(language: Language, kind: Kind) -> Option<Self> {
        match language {
            Language::Rust => Some(Self::rust(kind)),
            Language::C => Self::c(kind),
            Language::Javascript => Self::javascript(kind),
            Language::Python => Self::python(kind),
            Language::Wat => Self::wat(kind),
        }
    }

    fn rust(kind: Kind) -> Self {
        let template = |files, source, build, needs, call| Self {
            files,
            source,
            build: Some(build),
            needs: Some(needs),
            install: None,
            call,
            settings: "",
        };
        match kind {
            Kind::Core => template(
                files!("rust-core": "src/lib.rs";
                    "Cargo.toml" = "rust-core.Cargo.toml", ".gitignore" = "rust.gitignore"),
                "target/wasm32-unknown-unknown/release/{{crate}}.wasm",
                "cargo build --release --target wasm32-unknown-unknown",
                RUSTUP_CORE,
                ADD,
            ),
            Kind::Command => template(
                files!("rust-command": "src/main.rs";
                    "Cargo.toml" = "rust-command.Cargo.toml", ".gitignore" = "rust.gitignore"),
                "target/wasm32-wasip1/release/{{name}}.wasm",
                "cargo build --release --target wasm32-wasip1",
                RUSTUP_COMMAND,
                GREET,
            ),
            Kind::Http => template(
                files!("rust-http": "src/lib.rs";
                    "Cargo.toml" = "rust-http.Cargo.toml", ".gitignore" = "rust.gitignore"),
                "target/wasm32-wasip2/release/{{crate}}.wasm",
                "cargo build --release --target wasm32-wasip2",
                RUSTUP_COMPONENT,
                REQUEST,
            ),
            Kind::Typed => template(
                files!("rust-typed": "src/lib.rs";
                    "Cargo.toml" = "rust-typed.Cargo.toml", ".gitignore" = "rust.gitignore",
                    "wit/world.wit" = "typed.wit"),
                "target/wasm32-wasip2/release/{{crate}}.wasm",
                "cargo build --release --target wasm32-wasip2",
                RUSTUP_COMPONENT,
                PERSON,
            ),
        }
    }

    /// A component needs bindings, which no C compiler comes with.
    fn c(kind: Kind) -> Option<Self> {
        let template = |files, build, call| Self {
            files,
            source: "{{name}}.wasm",
            build: Some(build),
            needs: Some(ZIG),
            install: None,
            call,
            settings: "",
        };
        match kind {
            Kind::Core => Some(template(
                files!("c-core": "add.c"; ".gitignore" = "c.gitignore"),
                "zig cc -target wasm32-freestanding -nostdlib -Wl,--no-entry -Os -s -o {{name}}.wasm add.c",
                ADD,
            )),
            Kind::Command => Some(template(
                files!("c-command": "main.c"; ".gitignore" = "c.gitignore"),
                "zig cc -target wasm32-wasi -Os -s -o {{name}}.wasm main.c",
                GREET,
            )),
            Kind::Http | Kind::Typed => None,
        }
    }

    /// ComponentizeJS builds components only, and its JavaScript has no stdin.
    fn javascript(kind: Kind) -> Option<Self> {
        let template = |files, call| Self {
            files,
            source: "{{name}}.wasm",
            build: NODE_BUILD,
            needs: Some(NODE),
            install: NPM,
            call,
            settings: "",
        };
        match kind {
            Kind::Http => Some(template(
                files!("javascript-http": "app.js";
                    "build.mjs" = "javascript.build.mjs", "package.json" = "javascript.package.json",
                    ".gitignore" = "javascript.gitignore", "wit/world.wit" = "http.wit",
                    "wit/deps/http.wit" = "wasi/http.wit", "wit/deps/io.wit" = "wasi/io.wit",
                    "wit/deps/clocks.wit" = "wasi/clocks.wit"),
                REQUEST,
            )),
            Kind::Typed => Some(template(
                files!("javascript-typed": "app.js";
                    "build.mjs" = "javascript.build.mjs", "package.json" = "javascript.package.json",
                    ".gitignore" = "javascript.gitignore", "wit/world.wit" = "typed.wit"),
                PERSON,
            )),
            Kind::Core | Kind::Command => None,
        }
    }

    /// componentize-py builds components only.
    fn python(kind: Kind) -> Option<Self> {
        let template = |files, call, settings| Self {
            files,
            source: "{{name}}.wasm",
            build: PYTHON_BUILD,
            needs: Some(PYTHON),
            install: PIP,
            call,
            settings,
        };
        match kind {
            Kind::Command => Some(template(
                files!("python-command": "app.py";
                    "requirements.txt" = "python.requirements.txt", ".gitignore" = "python.gitignore",
                    "wit/world.wit" = "command.wit", "wit/deps/cli.wit" = "wasi/cli.wit"),
                GREET,
                "",
            )),
            Kind::Http => Some(template(
                files!("python-http": "app.py";
                    "requirements.txt" = "python.requirements.txt", ".gitignore" = "python.gitignore",
                    "wit/world.wit" = "http.wit", "wit/deps/http.wit" = "wasi/http.wit",
                    "wit/deps/io.wit" = "wasi/io.wit", "wit/deps/clocks.wit" = "wasi/clocks.wit"),
                REQUEST,
                "",
            )),
            Kind::Typed => Some(template(
                files!("python-typed": "app.py";
                    "requirements.txt" = "python.requirements.txt", ".gitignore" = "python.gitignore",
                    "wit/world.wit" = "typed.wit"),
                PERSON,
                // A component of componentize-py has one more export.
                "export = \"greet\"\n",
            )),
            Kind::Core => None,
        }
    }

    /// An HTTP handler is too long to be written in the text format.
    fn wat(kind: Kind) -> Option<Self> {
        let template =
            |files, source, call| Self { files, source, build: None, needs: None, install: None, call, settings: "" };
        match kind {
            Kind::Core => Some(template(files!("wat-core": "add.wat"), "add.wat", ADD)),
            Kind::Command => Some(template(files!("wat-command": "main.wat"), "main.wat", GREET)),
            Kind::Typed => Some(template(files!("wat-typed": "add.wat"), "add.wat", ADD)),
            Kind::Http => None,
        }
    }
}
