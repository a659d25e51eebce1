//! Key-value stores: the contract of a backend, and the backends.
//!
//! | backend | file | URL | feature |
//! |---|---|---|---|
//! | the memory of the process | `memory` | `memory:` | |
//! | a file of this machine | `file` | `redb:PATH` | `redb` |
//! | Redis and Valkey | `redis` | `redis://HOST:PORT/DATABASE`, `rediss://HOST:PORT/DATABASE` | `redis` |
//! | NATS | `nats` | `nats://HOST:PORT/BUCKET` | `nats` |
//! | Amazon S3, and servers that speak its protocol | `s3` | `s3://BUCKET/PREFIX` | `s3` |

#[cfg(not(all(feature = "redis", feature = "nats", feature = "s3")))]
mod absent;
#[cfg(any(feature = "redis", feature = "nats"))]
mod address;
#[cfg(any(test, feature = "test-kit"))]
pub mod conformance;
#[cfg(any(feature = "redis", feature = "nats"))]
mod connection;
mod contract;
#[cfg(feature = "redb")]
mod file;
mod invalid_url;
mod memory;
#[cfg(any(feature = "redis", feature = "nats", feature = "s3"))]
mod messages;
#[cfg(any(feature = "nats", feature = "s3"))]
mod names;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
#[cfg(any(feature = "nats", feature = "s3"))]
mod several;
#[cfg(test)]
mod tests;
mod url;
#[cfg(any(feature = "nats", feature = "s3"))]
mod versioned;

#[cfg(feature = "redb")]
pub use self::file::FileKeyValue;
pub use self::{
    contract::{KeyValue, MAX_KEY, MAX_PAGE, Page, add},
    invalid_url::InvalidKeyValueUrl,
    memory::MemoryKeyValue,
    url::{KeyValueUrl, open},
};
