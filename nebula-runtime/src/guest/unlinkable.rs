//! The failure of code that imports more than it is given.

use wasmtime::UnknownImportError;

use crate::call::{ErrorKind, InvokeError};

/// The failure of a module that cannot be linked: it names what the module wants and does not get.
pub(super) fn unlinkable(error: wasmtime::Error) -> InvokeError {
    let detail = match error.downcast_ref::<UnknownImportError>() {
        Some(import) => format!(
            "the module imports {}.{}, which Nebula does not provide; a function may import WASI and nothing else",
            import.module(),
            import.name()
        ),
        None => format!("the module cannot be linked: {error:#}"),
    };
    InvokeError::new(ErrorKind::InvalidModule, detail).with_source(error)
}
