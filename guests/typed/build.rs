//! What the linker has to know of a component that is called with values, and not of a command.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        // As for the handlers in `http`.
        println!("cargo::rustc-link-arg=--wasi-adapter=proxy");
        println!("cargo::rustc-link-arg=-zstack-size=65536");
    }
}
