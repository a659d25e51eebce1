//! Linker flags for components that keep blobs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        // See `http/build.rs`.
        println!("cargo::rustc-link-arg=--wasi-adapter=proxy");
        println!("cargo::rustc-link-arg=-zstack-size=65536");
    }
}
