//! A guest's system interface: what it is granted, and its standard streams.

mod stderr;
mod stdin;
mod stdout;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use stderr::Stderr;
pub(super) use stdin::Stdin;
pub(super) use stdout::{Stdout, WINDOW};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::{ErrorKind, FunctionConfig, InvokeError};

/// The system interface of a guest that is given what its configuration grants, and no input.
pub(super) fn without_input(config: &FunctionConfig, stderr: &Stderr) -> Result<WasiCtxBuilder, InvokeError> {
    let mut wasi = granted(config)?;
    // Its result is what it returns: what it prints is for the developer.
    wasi.stdout(stderr.clone()).stderr(stderr.clone());
    Ok(wasi)
}

/// What the configuration grants: environment and folders, and nothing else.
pub(super) fn granted(config: &FunctionConfig) -> Result<WasiCtxBuilder, InvokeError> {
    let mut wasi = WasiCtxBuilder::new();
    for (name, value) in &config.env {
        wasi.env(name, value);
    }
    for dir in &config.dirs {
        let perms = if dir.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        wasi.preopened_dir(&dir.host, &dir.guest, perms).map_err(|error| {
            let detail = format!("the folder {} that is granted to the function cannot be opened", dir.guest);
            InvokeError::new(ErrorKind::Unavailable, detail).with_source(error)
        })?;
    }
    Ok(wasi)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // None of these states has an invariant that a panic between two writes could break.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
