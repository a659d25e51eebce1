//! Compiling published functions before they are first called.

use super::Runtime;
use crate::{
    function::{FunctionRef, RegistryError},
    registry::{Architecture, Precompiled},
    store::Progress,
};

impl Runtime {
    /// Compiles functions into the folder of [`RuntimeBuilder::code_cache`](crate::RuntimeBuilder::code_cache), so that
    /// their first calls need not wait for the compiler: of a function without a version, the latest and those that
    /// aliases point to; all functions, where none is named. With an architecture, the code is for every processor of
    /// that kind, also on other machines to which the folder is copied. Otherwise it is for this processor.
    ///
    /// # Errors
    /// [`RegistryErrorKind::NotFound`](crate::RegistryErrorKind::NotFound) where there is no such function, and what the
    /// store fails with. Functions that cannot be compiled are in the result.
    pub async fn precompile(
        &self,
        functions: &[FunctionRef],
        architecture: Option<Architecture>,
        progress: &Progress,
    ) -> Result<Vec<Precompiled>, RegistryError> {
        self.registry.precompile(&self.compiler, functions, architecture, progress).await
    }
}
