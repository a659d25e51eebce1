//! The environment variables that a function's configuration grants.

use std::collections::BTreeMap;

use wasmtime_wasi::WasiCtxBuilder;

use crate::function::FunctionConfig;

/// The environment variables of a function.
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    pub(super) fn set_up(config: &FunctionConfig) -> Self {
        Self(config.env.clone())
    }

    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) {
        for (name, value) in &self.0 {
            wasi.env(name, value);
        }
    }
}
