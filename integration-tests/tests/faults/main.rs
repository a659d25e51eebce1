//! Faults: what may happen to a server, a store and their clients, and what must not come of it.
//!
//! Every test starts the real binary and talks to it over real sockets. None of them says how long anything takes: what
//! is waited for can be seen, and [`support::PATIENCE`] is only there so that a failure ends.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod concurrency;
mod descriptors;
mod hostile;
mod kill;
mod log;
#[cfg(target_os = "linux")]
mod memory;
mod parts;
mod readers;
mod shutdown;
mod spinners;
mod store;
mod support;
mod two_servers;
