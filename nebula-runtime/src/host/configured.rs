//! The services of a node as its configuration writes them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde::Deserialize;

use super::{
    blobs::{self, BlobsUrl},
    keyvalue::{self, KeyValueUrl},
    node::Node,
    place::ServicePlace,
    services::Services,
};
use crate::function::{ConfigValue, ServiceName};

/// The services of a node as its configuration writes them: the table `services` of `nebula.toml`, or the same as JSON.
///
/// - A value that is a reference is resolved when the services are opened: an address may have a password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct ServicesConfig(pub BTreeMap<ServiceName, ServiceConfig>);

/// What stands behind the name of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServiceConfig {
    /// A key-value store: `memory:`, `redb:PATH`, `redis://HOST:PORT/DATABASE`, `nats://HOST:PORT/BUCKET`, `s3://BUCKET/PREFIX`.
    pub keyvalue: Option<ConfigValue>,
    /// A container of blobs: `memory:`, `folder:PATH`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or
    /// `az://CONTAINER/PREFIX`.
    pub blobs: Option<ConfigValue>,
}

/// Why a service cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidService {
    /// The JSON of [`ServicesConfig::VARIABLE`] is not understood. The message does not have it, as it may have
    /// passwords.
    #[error(
        "{} is not understood (line {line}, column {column}); expected JSON such as \
         {{\"state\":{{\"keyvalue\":\"redis://db.internal\"}}}}",
        ServicesConfig::VARIABLE
    )]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The value refers to something that this node does not have.
    #[error("services.{service}.{key} refers to {reference}, which this node does not have")]
    Missing {
        /// The service.
        service: ServiceName,
        /// The key of the service.
        key: &'static str,
        /// The variable or the file.
        reference: String,
    },
    /// The value is not the URL of a backend.
    #[error("services.{service}.{key}: {reason}")]
    Url {
        /// The service.
        service: ServiceName,
        /// The key of the service.
        key: &'static str,
        /// What is wrong with the URL. It does not have the URL, which may have a password.
        reason: String,
    },
}

impl ServicesConfig {
    /// The environment variable that has the services of a node as JSON.
    pub const VARIABLE: &str = "NEBULA_SERVICES";

    /// The services that the environment says, if it says any.
    ///
    /// # Errors
    /// [`InvalidService::Json`] if they are not understood.
    pub fn of_environment(node: &Node) -> Result<Option<Self>, InvalidService> {
        let Some(json) = node.variables.get(Self::VARIABLE) else { return Ok(None) };
        let invalid = |error: serde_json::Error| InvalidService::Json { line: error.line(), column: error.column() };
        serde_json::from_str(json).map(Some).map_err(invalid)
    }

    /// Sets the services up. No service is connected to: that is done when a function first uses it.
    ///
    /// # Errors
    /// A value refers to what the node does not have, or is not the URL of a backend that this build has.
    pub fn open(&self, node: &Node) -> Result<Services, InvalidService> {
        let mut services = Services::default().variables(Arc::clone(&node.variables));
        for (name, ServiceConfig { keyvalue, blobs: container }) in &self.0 {
            if let Some(value) = keyvalue {
                let store =
                    url(node, name, "keyvalue", value, |text| keyvalue::open(&text.parse::<KeyValueUrl>()?, node))?;
                services = services.keyvalue(name.clone(), store);
            }
            if let Some(value) = container {
                let blobs = url(node, name, "blobs", value, |text| blobs::open(&text.parse::<BlobsUrl>()?, node))?;
                services = services.blobs(name.clone(), blobs);
            }
        }
        Ok(services)
    }

    /// Where the services are. A value that [`ServicesConfig::open`] refuses is left out.
    pub fn places(&self, node: &Node) -> Vec<ServicePlace> {
        let keyvalue = self.0.values().filter_map(|service| {
            let url: KeyValueUrl = node.text(service.keyvalue.as_ref()?).ok()?.parse().ok()?;
            Some(url.place(node))
        });
        let blobs = self.0.values().filter_map(|service| {
            let url: BlobsUrl = node.text(service.blobs.as_ref()?).ok()?.parse().ok()?;
            Some(url.place(node))
        });
        keyvalue.chain(blobs).collect()
    }

    /// The files that the values refer to.
    pub fn files(&self, node: &Node) -> Vec<PathBuf> {
        let values = self.0.values().flat_map(|service| [&service.keyvalue, &service.blobs]).flatten();
        let file = |value: &ConfigValue| match value {
            ConfigValue::File(path) => Some(node.folder.join(path)),
            ConfigValue::Text(_) | ConfigValue::Env(_) => None,
        };
        values.filter_map(file).collect()
    }

    /// Whether nothing is configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Opens the backend whose URL a value has.
fn url<T, E: std::fmt::Display>(
    node: &Node,
    service: &ServiceName,
    key: &'static str,
    value: &ConfigValue,
    open: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, InvalidService> {
    let missing = |reference| InvalidService::Missing { service: service.clone(), key, reference };
    let text = node.text(value).map_err(missing)?;
    open(&text).map_err(|error| InvalidService::Url { service: service.clone(), key, reason: error.to_string() })
}
