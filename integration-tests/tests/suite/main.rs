//! What no row of the table can say: commands, files, sockets and running servers, with the real programs.
//!
//! One program holds these tests because each program is a link of Wasmtime.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod address_space;
mod build;
mod components;
mod console;
#[cfg(unix)]
mod faults;
mod files;
mod fuzz;
mod lambda;
mod links;
mod profile;
mod readers;
mod references;
mod refused;
mod registry;
mod releases;
mod restart;
#[cfg(unix)]
mod shell;
mod snapshots;
mod streams;
mod top;
mod versions;
mod watch;
mod wire;
