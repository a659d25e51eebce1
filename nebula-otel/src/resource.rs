//! What describes a process.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::resource::v1;

use crate::attributes::text;

/// What describes the process that sends something, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource(BTreeMap<String, String>);

impl Resource {
    /// Sets an attribute.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// An attribute's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The message.
    pub(crate) fn message(&self) -> v1::Resource {
        v1::Resource {
            attributes: self.0.iter().map(|(name, value)| text(name.clone(), value.clone())).collect(),
            ..v1::Resource::default()
        }
    }
}
