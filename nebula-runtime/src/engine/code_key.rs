//! Which code of a module is wanted.

use crate::function::{Digest, FunctionConfig};

/// Which code of a module is wanted: a module has other code where it is a pure function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CodeKey {
    /// The module's digest.
    pub(crate) digest: Digest,
    /// Whether the code does the same on every processor where WebAssembly leaves a choice: the bits of a NaN, and the
    /// results of relaxed SIMD.
    pub(crate) is_deterministic: bool,
}

impl CodeKey {
    /// The code of a module that is run as `config` says.
    pub(crate) fn of(digest: Digest, config: &FunctionConfig) -> Self {
        Self { digest, is_deterministic: config.cache.is_some() }
    }
}
