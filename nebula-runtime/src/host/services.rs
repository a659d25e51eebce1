//! The host services that a function's configuration grants its guests.

use wasmtime_wasi::WasiCtxBuilder;

use super::{environment::Environment, files::Files, outgoing::Outgoing};
use crate::{
    call::{Caller, InvokeError},
    function::{FunctionConfig, FunctionName},
};

/// The host services that a function's configuration grants its guests. They are set up once for a version, and given
/// to each instance.
pub(crate) struct Services {
    environment: Environment,
    files: Files,
    outgoing: Outgoing,
}

/// The services of an instance, for the invocation that it serves.
pub(super) struct Given {
    pub(super) outgoing: Outgoing,
}

impl Services {
    /// Sets up the services that the function `name` is granted.
    pub(crate) fn set_up(name: &FunctionName, config: &FunctionConfig) -> Self {
        Self {
            environment: Environment::set_up(config),
            files: Files::set_up(config),
            outgoing: Outgoing::set_up(name, config),
        }
    }

    /// Checks that every folder that the configuration grants can be opened.
    ///
    /// # Errors
    /// A granted folder cannot be opened.
    pub(crate) fn check(&self) -> Result<(), InvokeError> {
        self.wasi().map(drop)
    }

    /// The system interface of a new instance, with environment variables and folders, and without standard streams.
    ///
    /// # Errors
    /// A granted folder cannot be opened.
    pub(crate) fn wasi(&self) -> Result<WasiCtxBuilder, InvokeError> {
        let mut wasi = WasiCtxBuilder::new();
        self.environment.give(&mut wasi);
        self.files.give(&mut wasi)?;
        Ok(wasi)
    }

    /// The services of an instance that serves `caller`.
    pub(super) fn give(&self, caller: &Caller) -> Given {
        Given { outgoing: self.outgoing.give(caller) }
    }
}
