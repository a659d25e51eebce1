//! Faults of servers, stores and clients, and the effects that they must not have.
//!
//! Every test starts the real program and talks to it over real sockets. No test depends on how long anything takes: it
//! waits for a visible effect. [`support::PATIENCE`] only makes a failing test end.

mod admin;
mod alias;
mod blobs;
mod clouds;
mod concurrency;
mod descriptors;
mod hostile;
mod keep;
mod kill;
mod listening;
mod log;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
mod monitoring;
mod parts;
mod publishers;
mod pure;
mod rates;
mod readers;
mod sandbox;
mod secrets;
mod shared;
mod shutdown;
mod sockets;
mod spinners;
mod store;
mod support;
mod telemetry;
mod tls;
mod two_servers;
