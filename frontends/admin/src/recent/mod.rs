//! The last invocations of a server, with what their guests logged, in a bounded part of its memory.

mod invocations;
mod lines;
mod ring;
#[cfg(test)]
mod tests;

pub use invocations::RecentInvocations;
pub(crate) use invocations::{Shown, Wanted};
pub use lines::LogLine;
