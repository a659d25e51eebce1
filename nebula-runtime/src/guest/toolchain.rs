//! The exports that toolchains add for themselves. No author wrote them and no caller wants them, so they are not
//! listed.

use wasmtime::component::types::ComponentFunc;

/// The functions that toolchains export from core modules.
///
/// - `_start` and `_initialize` belong to WASI (WASI preview 1, "Application ABI").
/// - Clang and Rust export `main` under names that start with `__main`; older versions use `__original_main`.
/// - wasm-ld adds `__wasm_*` for constructors, memory and relocations.
/// - AssemblyScript's runtime exports `__new`, `__pin`, `__unpin` and `__collect`.
/// - Emscripten's runtime exports functions for the stack and `errno`.
/// - The canonical ABI of components allocates with `cabi_realloc` and cleans up with `cabi_post_*`.
const MODULE_EXPORTS: [&str; 18] = [
    "_start",
    "_initialize",
    "__main_void",
    "__main_argc_argv",
    "__original_main",
    "__new",
    "__pin",
    "__unpin",
    "__collect",
    "__errno_location",
    "_emscripten_stack_alloc",
    "_emscripten_stack_restore",
    "emscripten_stack_get_current",
    "emscripten_stack_init",
    "stackAlloc",
    "stackRestore",
    "stackSave",
    "cabi_realloc",
];

const MODULE_EXPORT_PREFIXES: [&str; 2] = ["__wasm_", "cabi_post_"];

/// Whether a core module's export of this name belongs to its toolchain.
pub(super) fn owns(export: &str) -> bool {
    MODULE_EXPORTS.contains(&export) || MODULE_EXPORT_PREFIXES.iter().any(|prefix| export.starts_with(prefix))
}

/// Whether a component's exported function belongs to its toolchain. When componentize-py builds a component, it calls
/// `init` of the interface `exports`, and leaves that function in the component. Its parameters distinguish it from an
/// author's function of the same name.
pub(super) fn owns_function(interface: Option<&str>, name: &str, ty: &ComponentFunc) -> bool {
    const PARAMS_OF_INIT: [&str; 3] = ["app-name", "symbols", "stub-wasi"];

    interface == Some("exports") && name == "init" && ty.params().map(|(name, _)| name).eq(PARAMS_OF_INIT)
}
