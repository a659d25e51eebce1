//! In place of a backend that this build does not have.

use std::{convert::Infallible, sync::Arc};

use super::{contract::KeyValue, invalid_url::InvalidKeyValueUrl};
use crate::host::{node::Node, place::ServicePlace};

/// The place of values that this build cannot reach. There is none.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place(Infallible);

impl Place {
    /// Refuses a URL, and names the feature that it needs.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidKeyValueUrl> {
        let (scheme, _) = text.split_once(':').unwrap_or((text, ""));
        let feature = match scheme {
            "redis" | "rediss" => "redis",
            "s3" => "s3",
            _ => "nats",
        };
        Err(InvalidKeyValueUrl::NotInThisBuild { scheme: scheme.to_owned(), feature })
    }

    pub(super) fn place(&self) -> ServicePlace {
        match self.0 {}
    }

    pub(super) fn open(&self, _: &Node) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
        match self.0 {}
    }
}
