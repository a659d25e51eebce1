//! The backends on real servers, which the tests start.

mod behaviour;
#[cfg(feature = "nats")]
mod nats;
#[cfg(any(feature = "nats", feature = "redis"))]
mod proxy;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
#[cfg(any(feature = "nats", feature = "redis"))]
mod server;

use std::{env, sync::Arc};

use super::{KeyValue, KeyValueUrl, open};
use crate::host::node::Node;

/// The backend of a URL, on a node with these variables.
fn store(url: &str, node: &Node) -> Arc<dyn KeyValue> {
    let url: KeyValueUrl = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    open(&url, node).unwrap()
}

/// Notes that a test cannot run, which it must in CI.
fn not_here<T>(server: &str, installed_by: &str) -> Option<T> {
    assert!(env::var_os("CI").is_none(), "no {server} here: {installed_by}");
    eprintln!("not tested on {server}: it is not here, and {installed_by} installs it");
    None
}
