//! The projects of `nebula new --with keyvalue`: functions that count visits.

use crate::template::{Language, NODE, NODE_BUILD, NPM, PIP, PYTHON, PYTHON_BUILD, RUSTUP_COMPONENT, Template, files};

const VISIT: &str = "-X POST localhost:8080/api/{{name}}/home";
const GRANT: &str = "keyvalue = { default = \"state\" }\n";
/// A component of componentize-py has one more export.
const EXPORT_AND_GRANT: &str = "export = \"count\"\nkeyvalue = { default = \"state\" }\n";

const C_TOOLS: &str = "[Zig](https://ziglang.org) for its C compiler, and `cargo install wit-bindgen-cli wasm-tools`";

/// The project of a counter that keeps its numbers in a key-value store, in this language. It is a typed function.
pub(crate) fn counter(language: Language) -> Template {
    match language {
        Language::Rust => IN_RUST,
        Language::C => IN_C,
        Language::Javascript => IN_JAVASCRIPT,
        Language::Python => IN_PYTHON,
        Language::Wat => IN_WAT,
    }
}

const IN_RUST: Template = Template {
    files: files!("rust-counter": "src/lib.rs";
        "Cargo.toml" = "rust-typed.Cargo.toml", ".gitignore" = "rust.gitignore",
        "wit/world.wit" = "counter.wit", "wit/deps/keyvalue.wit" = "wasi/keyvalue.wit"),
    source: "target/wasm32-wasip2/release/{{crate}}.wasm",
    build: Some("cargo build --release --target wasm32-wasip2"),
    needs: Some(RUSTUP_COMPONENT),
    install: None,
    call: VISIT,
    settings: GRANT,
};

const IN_C: Template = Template {
    files: files!("c-counter": "counter.c";
        ".gitignore" = "c-counter.gitignore",
        "wit/world.wit" = "counter.wit", "wit/deps/keyvalue.wit" = "wasi/keyvalue.wit"),
    source: "{{name}}.wasm",
    build: Some(
        "wit-bindgen c --out-dir target wit && zig cc -target wasm32-wasi -mexec-model=reactor -Os -s -Itarget \
         -o target/core.wasm counter.c target/app.c target/app_component_type.o && wasm-tools component new \
         target/core.wasm -o {{name}}.wasm",
    ),
    needs: Some(C_TOOLS),
    install: None,
    call: VISIT,
    settings: GRANT,
};

const IN_JAVASCRIPT: Template = Template {
    files: files!("javascript-counter": "app.js";
        "build.mjs" = "javascript.build.mjs", "package.json" = "javascript.package.json",
        ".gitignore" = "javascript.gitignore",
        "wit/world.wit" = "counter.wit", "wit/deps/keyvalue.wit" = "wasi/keyvalue.wit"),
    source: "{{name}}.wasm",
    build: NODE_BUILD,
    needs: Some(NODE),
    install: NPM,
    call: VISIT,
    settings: GRANT,
};

const IN_PYTHON: Template = Template {
    files: files!("python-counter": "app.py";
        "requirements.txt" = "python.requirements.txt", ".gitignore" = "python.gitignore",
        "wit/world.wit" = "counter.wit", "wit/deps/keyvalue.wit" = "wasi/keyvalue.wit"),
    source: "{{name}}.wasm",
    build: PYTHON_BUILD,
    needs: Some(PYTHON),
    install: PIP,
    call: VISIT,
    settings: EXPORT_AND_GRANT,
};

const IN_WAT: Template = Template {
    files: files!("wat-counter": "counter.wat"),
    source: "counter.wat",
    build: None,
    needs: None,
    install: None,
    call: VISIT,
    settings: GRANT,
};
