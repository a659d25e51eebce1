//! The key-value stores that a function is granted.

use super::{bound::Bound, bucket::GrantedStore};
use crate::{
    function::{FunctionConfig, ServiceGrant},
    host::services::Services,
};

/// The key-value stores that a function is granted, by its own names for them.
pub(in crate::host) type Stores = Bound<GrantedStore>;

/// Binds the stores that a configuration grants to the services of this node.
pub(super) fn stores(config: &FunctionConfig, services: &Services) -> Stores {
    Bound::new(&config.keyvalue, |name, grant: &ServiceGrant| match services.find_keyvalue(&grant.service) {
        Some(store) => Ok(GrantedStore::new(store, grant.clone())),
        None => Err(format!(
            "the key-value store {name:?} needs the service {service}, which this node does not have; add to its \
             nebula.toml: [services.{service}] with a line such as keyvalue = \"redb:data/{service}.redb\"",
            service = grant.service
        )),
    })
}
