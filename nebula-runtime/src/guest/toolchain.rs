//! Exports that a toolchain leaves for itself: no author wrote them, and no caller means them.

use wasmtime::component::types::ComponentFunc;

/// The functions that toolchains export from core modules.
///
/// - `_start` and `_initialize` are WASI's own (WASI preview 1, "Application ABI").
/// - Clang and Rust keep `main` under the names that start with `__main`, and older ones under `__original_main`.
/// - wasm-ld makes `__wasm_*` for constructors, memory and relocations.
/// - AssemblyScript's runtime is `__new`, `__pin`, `__unpin` and `__collect`.
/// - Emscripten's is the stack and `errno`.
/// - The canonical ABI of components allocates through `cabi_realloc`, and cleans up with `cabi_post_*`.
const OF_MODULES: [&str; 18] = [
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

const PREFIXES_OF_MODULES: [&str; 2] = ["__wasm_", "cabi_post_"];

/// Whether a core module's export of this name belongs to its toolchain.
pub(super) fn owns(export: &str) -> bool {
    OF_MODULES.contains(&export) || PREFIXES_OF_MODULES.iter().any(|prefix| export.starts_with(prefix))
}

/// Whether a component's exported function belongs to its toolchain: componentize-py builds a component by calling `init` of
/// the interface `exports`, and leaves it there. Its parameters tell it from an author's function of that name.
pub(super) fn owns_function(interface: Option<&str>, name: &str, ty: &ComponentFunc) -> bool {
    const PARAMS_OF_INIT: [&str; 3] = ["app-name", "symbols", "stub-wasi"];

    interface == Some("exports") && name == "init" && ty.params().map(|(name, _)| name).eq(PARAMS_OF_INIT)
}
