//! The proposals of WebAssembly that Nebula does not run, so that an error can name them and say what to do.

use wasmparser::{Validator, WasmFeatures};

use super::no_answer::NoAnswer;
use crate::call::{ErrorKind, InvokeError};

/// A proposal that Nebula does not run.
struct Proposal {
    name: &'static str,
    feature: WasmFeatures,
    /// What the author of a module that uses it can do.
    remedy: &'static str,
}

const WITHOUT: &str = "build it again without";

const PROPOSALS: [Proposal; 9] = [
    Proposal {
        name: "legacy exception handling",
        feature: WasmFeatures::LEGACY_EXCEPTIONS,
        remedy: "build it again with standard exceptions (Emscripten: -sWASM_LEGACY_EXCEPTIONS=0) or translate it \
                 (Binaryen: wasm-opt --translate-to-exnref)",
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

/// The error for a module that the compiler refuses.
pub(super) fn refused(wasm: &[u8], error: wasmtime::Error) -> InvokeError {
    let error = match error.downcast::<NoAnswer>() {
        Ok(no_answer) => return no_answer.into(),
        Err(error) => error,
    };
    let detail = used_by(wasm).map_or_else(
        || format!("the module is not valid WebAssembly, or uses what Nebula does not support: {error:#}"),
        |proposal| unsupported(proposal.name, proposal.remedy),
    );
    InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
}

/// The message for a module with a shared memory. The compiler accepts shared memories, because Nebula runs atomic
/// operations.
pub(super) fn shared_memory() -> String {
    unsupported("shared memory", "a guest has one thread: build it again without threads")
}

fn unsupported(name: &str, remedy: &str) -> String {
    format!("the module uses {name}, which Nebula does not run; {remedy}")
}

/// The proposal that a module needs to be valid, if it needs one. It is found by validating the module with and without
/// each proposal, because the compiler's own messages do not name the proposal in one way.
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
    fn the_proposal_that_a_module_needs_is_found() {
        let legacy = Some("legacy exception handling");
        assert_eq!(name_of("(module (func try catch_all end))"), legacy);
        assert_eq!(name_of("(component (core module (func try catch_all end)))"), legacy);
        assert_eq!(name_of("(module (type $f (func)) (type (cont $f)))"), Some("stack switching"));
        assert_eq!(name_of("(module (memory 1 (pagesize 1)))"), Some("custom page sizes"));
    }

    #[test]
    fn a_module_that_is_supported_or_never_valid_needs_no_proposal() {
        let run = "(module (tag $e) (memory 1) (func throw $e) (func (drop (i32.atomic.load (i32.const 0)))))";
        assert_eq!(name_of(run), None);
        assert_eq!(name_of("(module (func try i32.add end))"), None);
    }
}
