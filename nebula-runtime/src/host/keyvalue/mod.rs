//! Key-value stores: the contract of a backend, and the backends.
//!
//! | backend | file |
//! |---|---|
//! | the memory of the process | `memory` |

#[cfg(any(test, feature = "test-kit"))]
pub mod conformance;
mod contract;
mod memory;
mod url;

pub use self::{
    contract::{KeyValue, MAX_KEY, MAX_PAGE, Page, add},
    memory::MemoryKeyValue,
    url::{InvalidKeyValueUrl, KeyValueUrl, open},
};
