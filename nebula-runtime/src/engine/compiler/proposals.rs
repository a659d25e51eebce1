//! What Nebula does not run of WebAssembly: by name, and with what helps.

use wasmparser::{Validator, WasmFeatures};

use crate::call::{ErrorKind, InvokeError};

/// A proposal that goes beyond what is run.
struct Proposal {
    name: &'static str,
    feature: WasmFeatures,
    /// What helps the author of a module that uses it.
    remedy: &'static str,
}

const WITHOUT: &str = "build it again without";

const PROPOSALS: [Proposal; 9] = [
    Proposal {
        name: "legacy exception handling",
        feature: WasmFeatures::LEGACY_EXCEPTIONS,
        remedy: "build it again with the standard one (Emscripten: -sWASM_LEGACY_EXCEPTIONS=0) or translate it (Binaryen: \
                 wasm-opt --translate-to-exnref)",
    },
    Proposal { name: "stack switching", feature: WasmFeatures::STACK_SWITCHING, remedy: WITHOUT },
    Proposal { name: "wide arithmetic", feature: WasmFeatures::WIDE_ARITHMETIC, remedy: WITHOUT },
    Proposal { name: "custom page sizes", feature: WasmFeatures::CUSTOM_PAGE_SIZES, remedy: WITHOUT },
    Proposal { name: "shared-everything threads", feature: WasmFeatures::SHARED_EVERYTHING_THREADS, remedy: WITHOUT },
    Proposal { name: "memory control", feature: WasmFeatures::MEMORY_CONTROL, remedy: WITHOUT },
    Proposal { name: "custom descriptors", feature: WasmFeatures::CUSTOM_DESCRIPTORS, remedy: WITHOUT },
    Proposal { name: "compact imports", feature: WasmFeatures::COMPACT_IMPORTS, remedy: WITHOUT },
    Proposal {
        name: "garbage-collected values in component interfaces",
        feature: WasmFeatures::CM_GC,
        remedy: WITHOUT,
    },
];

/// The failure of a module that the compiler refuses.
pub(super) fn refused(wasm: &[u8], error: wasmtime::Error) -> InvokeError {
    let detail = used_by(wasm).map_or_else(
        || format!("the module is not valid WebAssembly, or uses what Nebula does not support: {error:#}"),
        |proposal| unsupported(proposal.name, proposal.remedy),
    );
    InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
}

/// What is said of a module with a memory for several threads: the compiler takes it, for atomic operations are run.
pub(super) fn shared_memory() -> String {
    unsupported("shared memory", "a guest has one thread: build it again without threads")
}

fn unsupported(name: &str, remedy: &str) -> String {
    format!("the module uses {name}, which Nebula does not run; {remedy}")
}

/// The proposal without which a module is not valid, if there is one: found by validating it with and without, as each of
/// them makes the compiler fail in words of its own.
fn used_by(wasm: &[u8]) -> Option<&'static Proposal> {
    let is_valid = |features| Validator::new_with_features(features).validate_all(wasm).is_ok();
    let all = WasmFeatures::all();
    let mut proposals = PROPOSALS.iter();
    is_valid(all).then(|| proposals.find(|proposal| !is_valid(all - proposal.feature))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(wat: &str) -> Option<&'static str> {
        used_by(&wat::parse_str(wat).unwrap()).map(|proposal| proposal.name)
    }

    #[test]
    fn a_module_is_told_by_what_it_is_not_valid_without() {
        let legacy = Some("legacy exception handling");
        assert_eq!(name_of("(module (func try catch_all end))"), legacy);
        assert_eq!(name_of("(component (core module (func try catch_all end)))"), legacy);
        assert_eq!(name_of("(module (type $f (func)) (type (cont $f)))"), Some("stack switching"));
        assert_eq!(name_of("(module (memory 1 (pagesize 1)))"), Some("custom page sizes"));
    }

    #[test]
    fn what_is_run_or_never_valid_is_none_of_them() {
        let run = "(module (tag $e) (memory 1) (func throw $e) (func (drop (i32.atomic.load (i32.const 0)))))";
        assert_eq!(name_of(run), None);
        assert_eq!(name_of("(module (func try i32.add end))"), None);
    }
}
