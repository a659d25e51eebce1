//! Linker flags for HTTP handlers.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        // If the standard library was built for WASI preview 1, this adapts its imports to those of a handler, which
        // may not import files or arguments.
        println!("cargo::rustc-link-arg=--wasi-adapter=proxy");
        // Each request gets a fresh instance. An instance with less memory is made faster.
        println!("cargo::rustc-link-arg=-zstack-size=65536");
    }
}
