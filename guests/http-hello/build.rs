//! What the linker has to know of a handler that it does not of a command.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        // Where the standard library is one of WASI preview 1, this turns what it imports into what a handler may import:
        // neither files nor arguments.
        println!("cargo::rustc-link-arg=--wasi-adapter=proxy");
        // A fresh instance serves each request: the less memory it has, the sooner it is made.
        println!("cargo::rustc-link-arg=-zstack-size=65536");
    }
}
