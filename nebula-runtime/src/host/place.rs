//! Where a service is.

use std::path::PathBuf;

/// Where a service is: what it uses of the node and of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServicePlace {
    /// The memory of the process.
    Memory,
    /// A folder of the node, in which files are made and changed.
    Folder(PathBuf),
    /// A server that listens on this port.
    Port(u16),
    /// An object store. Environment variables may give the address of another one.
    Cloud,
}
