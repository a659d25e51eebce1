//! The backends on real servers, which the tests start.

mod behaviour;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;

use std::sync::Arc;

use super::{KeyValue, KeyValueUrl, open};
use crate::host::node::Node;

/// The backend of a URL, on a node with these variables.
fn store(url: &str, node: &Node) -> Arc<dyn KeyValue> {
    let url: KeyValueUrl = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    open(&url, node).unwrap()
}
