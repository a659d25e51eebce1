//! The lines that a guest writes to its stderr, for a caller that wants them beside the response.

use std::sync::{Arc, Mutex};

use crate::sync::lock;

/// The lines that an invocation's guest writes to its stderr. They are in the log, too, and have its bounds: see
/// [`GuestStderr::Log`](crate::GuestStderr::Log).
///
/// - Clones have the same lines.
#[derive(Debug, Clone, Default)]
pub struct StderrLines(Arc<Mutex<Vec<String>>>);

impl StderrLines {
    /// Takes the lines so far. All are there when the response's body has ended.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.0))
    }

    pub(crate) fn push(&self, line: &str) {
        lock(&self.0).push(line.to_owned());
    }
}
