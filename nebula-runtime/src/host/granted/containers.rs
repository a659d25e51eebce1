//! The containers of blobs that a function is granted.

use super::{bound::Bound, container::GrantedContainer};
use crate::{
    function::{FunctionConfig, ServiceGrant},
    host::services::Services,
};

/// The containers of blobs that a function is granted, by its own names for them.
pub(in crate::host) type Containers = Bound<GrantedContainer>;

/// Binds the containers that a configuration grants to the services of this node.
pub(super) fn containers(config: &FunctionConfig, services: &Services) -> Containers {
    Bound::new(&config.blobs, |name, grant: &ServiceGrant| match services.find_blobs(&grant.service) {
        Some(blobs) => Ok(GrantedContainer::new(blobs, grant.clone())),
        None => Err(format!(
            "the container of blobs {name:?} needs the service {service}, which this node does not have; add to its \
             nebula.toml: [services.{service}] with a line such as blobs = \"folder:data/{service}\"",
            service = grant.service
        )),
    })
}
