//! The folders of the host that a function's configuration grants.

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::{
    call::{ErrorKind, InvokeError},
    function::{DirGrant, FunctionConfig},
};

/// The folders of a function. Each instance opens them for itself.
pub(super) struct Files(Vec<DirGrant>);

impl Files {
    pub(super) fn set_up(config: &FunctionConfig) -> Self {
        Self(config.dirs.clone())
    }

    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) -> Result<(), InvokeError> {
        for dir in &self.0 {
            let perms = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(&dir.host, &dir.guest, perms).map_err(|error| {
                let detail = format!("the folder {} that is granted to the function cannot be opened", dir.guest);
                InvokeError::new(ErrorKind::Unavailable, detail).with_source(error)
            })?;
        }
        Ok(())
    }
}
