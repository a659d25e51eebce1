//! The error for code whose imports Nebula does not provide.

use wasmtime::UnknownImportError;

use crate::call::{ErrorKind, InvokeError};

/// The error for a module that cannot be linked. It names the import that Nebula does not provide.
pub(super) fn unlinkable(error: wasmtime::Error) -> InvokeError {
    let detail = match error.downcast_ref::<UnknownImportError>() {
        // The name of an interface. Spin makes a component of such a module when it loads it.
        Some(import) if import.module().contains(':') => format!(
            "the module imports {}, which only a component can import; build it for wasm32-wasip2, or make a component \
             of it with wasm-tools component new",
            import.module()
        ),
        Some(import) => format!(
            "the module imports {}.{}, which Nebula does not provide; a function may import WASI and nothing else",
            import.module(),
            import.name()
        ),
        None => format!("the module cannot be linked: {error:#}"),
    };
    InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
}
