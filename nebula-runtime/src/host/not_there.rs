//! What the services of a node do not have.

use crate::function::ServiceName;

/// What the services of a node do not have. The message says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotThere {
    /// There is no such service.
    #[error("the node has no service {0}: add [services.{0}] to its nebula.toml, or set NEBULA_SERVICES there")]
    Service(ServiceName),
    /// The service keeps blobs only.
    #[error("service {0} is no key-value store: it keeps blobs, which nebula blobs reads and changes")]
    KeyValue(ServiceName),
    /// The service keeps values of keys only.
    #[error("service {0} keeps no blobs: it is a key-value store, which nebula kv reads and changes")]
    Blobs(ServiceName),
    /// The key-value store has no such key.
    #[error("service {service} has no key {key:?}")]
    Key {
        /// The service.
        service: ServiceName,
        /// The key.
        key: String,
    },
    /// The container has no such blob.
    #[error("service {service} has no blob {name:?}")]
    Blob {
        /// The service.
        service: ServiceName,
        /// The name of the blob.
        name: String,
    },
}
