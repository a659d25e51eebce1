//! The key-value stores that a function is granted.

use std::{collections::BTreeMap, sync::Arc};

use super::{bucket::GrantedStore, missing::missing};
use crate::{
    call::InvokeError,
    function::{FunctionConfig, ServiceGrant},
    host::services::Services,
};

/// The key-value stores that a function is granted, by its own names for them.
pub(in crate::host) struct Stores(BTreeMap<String, Result<Arc<GrantedStore>, String>>);

impl Stores {
    pub(in crate::host) fn set_up(config: &FunctionConfig, services: &Services) -> Self {
        let store = |(name, grant): (&String, &ServiceGrant)| {
            let store = match services.find_keyvalue(&grant.service) {
                Some(store) => Ok(Arc::new(GrantedStore::new(store, grant.clone()))),
                None => Err(format!(
                    "the key-value store {name:?} needs the service {service}, which this node does not have; add to its \
                     nebula.toml: [services.{service}] with a line such as keyvalue = \"redb:data/{service}.redb\"",
                    service = grant.service
                )),
            };
            (name.clone(), store)
        };
        Self(config.keyvalue.iter().map(store).collect())
    }

    /// Checks that this node has each of the services.
    ///
    /// # Errors
    /// A service is not configured.
    pub(in crate::host) fn check(&self) -> Result<(), InvokeError> {
        let first = self.0.values().find_map(|store| store.as_ref().err());
        first.map_or(Ok(()), |detail| Err(missing(detail.clone())))
    }

    /// The store of this name.
    pub(in crate::host) fn get(&self, name: &str) -> Option<Arc<GrantedStore>> {
        self.0.get(name)?.as_ref().ok().cloned()
    }
}
