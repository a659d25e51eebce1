//! Keeping a store well: verifying it, and removing what nothing needs.
//!
//! [`Store::verify`](super::Store::verify) hashes all blobs that versions need again.
//! [`Store::collect_garbage`](super::Store::collect_garbage) removes those that no version needs, in two steps: it sets
//! them aside, where they are still read, and removes them in a later run.

mod contents;
mod damaged;
mod gc;
mod needed;
mod progress;
mod verify;

pub use self::{
    gc::{Garbage, GarbageFate, GcOptions, GcReport, Total},
    progress::Progress,
    verify::{StoreProblem, StoreProblemKind, Verification},
};

/// How many objects are read or written at once: enough for a service that is far away, and few enough for memory, because
/// each may be a whole module.
const AT_ONCE: usize = 8;
