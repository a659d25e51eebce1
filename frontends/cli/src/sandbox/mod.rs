//! The sandbox around a server: what the process can no longer do, whatever code runs in it.
//!
//! A guest that found a fault in Wasmtime or in a host function would have the rights of the process. In the sandbox these
//! are few: the kernel refuses other files and ports (Landlock), and system calls that a server does not need (seccomp).

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;
mod policy;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, error::Error};

use nebula_runtime::Reach;

pub(crate) use self::policy::Policy;

/// What the process may still use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sandbox {
    /// What functions and the server use.
    pub(crate) reach: Reach,
    /// The ports to listen on. Port 0 stands for any free port.
    pub(crate) listen: BTreeSet<u16>,
}

/// How far the kernel keeps the process in its sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    /// In all that the sandbox stands for.
    Whole,
    /// Not in ports: the kernel is older than Linux 6.7.
    WithoutPorts,
}

/// Why the process is not in a sandbox.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotEntered {
    #[error(
        "this system has no Landlock, which the sandbox needs: it comes with Linux 5.13, and may be turned off at boot"
    )]
    Unsupported,
    #[error("the sandbox cannot be entered")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl Sandbox {
    /// Takes rights away from the calling thread and from the threads that it starts later, for good.
    #[cfg(target_os = "linux")]
    pub(crate) fn enter(&self) -> Result<Entered, NotEntered> {
        let entered = files::restrict(self)?;
        calls::restrict().map_err(|error| NotEntered::Failed(error.into()))?;
        Ok(entered)
    }

    /// Only Linux has what the sandbox is made of.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn enter(&self) -> Result<Entered, NotEntered> {
        Err(NotEntered::Unsupported)
    }
}
