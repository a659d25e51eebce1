//! The containers of blobs that a function is granted.

use std::{collections::BTreeMap, sync::Arc};

use super::{container::GrantedContainer, missing::missing};
use crate::{
    call::InvokeError,
    function::{FunctionConfig, ServiceGrant},
    host::services::Services,
};

/// The containers of blobs that a function is granted, by its own names for them.
pub(in crate::host) struct Containers(BTreeMap<String, Result<Arc<GrantedContainer>, String>>);

impl Containers {
    pub(in crate::host) fn set_up(config: &FunctionConfig, services: &Services) -> Self {
        let container = |(name, grant): (&String, &ServiceGrant)| {
            let container = match services.find_blobs(&grant.service) {
                Some(blobs) => Ok(Arc::new(GrantedContainer::new(blobs, grant.clone()))),
                None => Err(format!(
                    "the container of blobs {name:?} needs the service {service}, which this node does not have; add to its \
                     nebula.toml: [services.{service}] with a line such as blobs = \"folder:data/{service}\"",
                    service = grant.service
                )),
            };
            (name.clone(), container)
        };
        Self(config.blobs.iter().map(container).collect())
    }

    /// Checks that this node has each of the services.
    ///
    /// # Errors
    /// A service is not configured.
    pub(in crate::host) fn check(&self) -> Result<(), InvokeError> {
        let first = self.0.values().find_map(|container| container.as_ref().err());
        first.map_or(Ok(()), |detail| Err(missing(detail.clone())))
    }

    /// The container of this name.
    pub(in crate::host) fn get(&self, name: &str) -> Option<Arc<GrantedContainer>> {
        self.0.get(name)?.as_ref().ok().cloned()
    }
}
