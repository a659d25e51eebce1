//! What a sandbox is open for, and whether the process is in it.

use std::{collections::BTreeSet, error::Error};

use nebula_runtime::Reach;

/// What the process may still use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sandbox {
    /// What functions and the server use.
    pub(crate) reach: Reach,
    /// Whether the process may connect to abstract Unix sockets of other processes.
    pub(crate) abstract_sockets: bool,
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
