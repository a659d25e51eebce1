//! Compiling a binary with Wasmtime, and what the code depends on.

use std::hash::Hash as _;

use super::{
    super::{Flavour, allocation},
    no_answer::NoAnswer,
    parts,
};

/// An engine that compiles for the baseline of the processor `target`: for what all processors of the kind have.
pub(super) fn baseline_engine(flavour: Flavour, target: &str) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = allocation::compiling(flavour, false);
    config.target(target)?;
    wasmtime::Engine::new(&config)
}

/// Compiles for the deterministic engine if that is wanted, or else for the plain engine, and for the concurrent one if the
/// plain one refuses the module. The plain engine validates a module before it compiles anything, and refuses async
/// functions. A module that was too much for the compiler would be so again.
pub(super) fn compile_as_fits<T>(
    wasm: &[u8],
    is_deterministic: bool,
    compile: impl Fn(Flavour) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    if is_deterministic {
        return compile(Flavour::Deterministic);
    }
    match compile(Flavour::Plain) {
        Err(error) if is_component(wasm) && !error.is::<NoAnswer>() => compile(parts::concurrent_flavour(wasm)),
        compiled => compiled,
    }
}

pub(super) fn precompile(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
    match is_component(wasm) {
        true => engine.precompile_component(wasm),
        false => engine.precompile_module(wasm),
    }
}

/// Whether a binary's `layer` field says that it is a component (component model, "Binary.md").
fn is_component(wasm: &[u8]) -> bool {
    wasm.get(6..8) == Some(&[1, 0])
}

/// A hash of all that compiled code depends on: Wasmtime's version, its configuration, and this processor.
pub(super) fn fingerprint(engine: &wasmtime::Engine) -> String {
    struct Blake3(blake3::Hasher);

    impl std::hash::Hasher for Blake3 {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }

    let mut hasher = Blake3(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().to_hex().as_str().chars().take(32).collect()
}
