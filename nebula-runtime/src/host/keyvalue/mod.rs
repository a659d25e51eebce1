//! Key-value stores: the contract of a backend, and the backends.
//!
//! | backend | file |
//! |---|---|
//! | the memory of the process | `memory` |
//! | a file of this machine, with the feature `redb` | `file` |

#[cfg(any(test, feature = "test-kit"))]
pub mod conformance;
mod contract;
#[cfg(feature = "redb")]
mod file;
mod memory;
mod url;

#[cfg(feature = "redb")]
pub use self::file::FileKeyValue;
pub use self::{
    contract::{KeyValue, MAX_KEY, MAX_PAGE, Page, add},
    memory::MemoryKeyValue,
    url::{InvalidKeyValueUrl, KeyValueUrl, open},
};
