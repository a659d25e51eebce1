//! The environment variables that a function's configuration grants.

use wasmtime_wasi::WasiCtxBuilder;

use super::settings::Settings;
use crate::{call::InvokeError, function::FunctionConfig, host::services::Services};

/// The environment variables of a function.
pub(super) struct Environment(Settings);

impl Environment {
    pub(super) fn set_up(config: &FunctionConfig, services: &Services) -> Self {
        Self(Settings::set_up("env", &config.env, services))
    }

    /// # Errors
    /// The node does not have the value of a variable.
    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) -> Result<(), InvokeError> {
        for (name, value) in self.0.all()? {
            wasi.env(name, &value);
        }
        Ok(())
    }
}
