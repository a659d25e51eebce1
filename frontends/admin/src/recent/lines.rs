//! The lines that guests logged.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

/// How many invocations' lines are kept. Those of the invocation that logged its first line the longest time ago go
/// first.
const INVOCATIONS: usize = 1_000;

/// How many bytes of lines are kept of one invocation. The first lines are kept, as in the log itself.
const BYTES: usize = 4 << 10;

/// A line that a guest logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the program that keeps the log makes them")]
pub struct LogLine {
    /// The line's level: `info`. Lines of stderr have this level.
    pub level: &'static str,
    /// The context that the guest named, if it named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The text.
    pub message: String,
}

/// The lines of one invocation.
#[derive(Default)]
pub(super) struct Log {
    pub(super) lines: Vec<LogLine>,
    /// Whether lines were left out.
    pub(super) is_cut: bool,
    bytes: usize,
}

/// The lines of the last invocations that logged any, by the ids of the invocations.
#[derive(Default)]
pub(super) struct Lines {
    logs: HashMap<String, Log>,
    /// The ids, in the order of the first lines.
    order: VecDeque<String>,
}

impl Lines {
    /// Adds a line.
    pub(super) fn push(&mut self, invocation: &str, line: LogLine) {
        if let Some(log) = self.logs.get_mut(invocation) {
            return log.push(line);
        }
        if self.order.len() >= INVOCATIONS {
            self.order.pop_front().map(|oldest| self.logs.remove(&oldest));
        }
        self.order.push_back(invocation.to_owned());
        self.logs.entry(invocation.to_owned()).or_default().push(line);
    }

    /// The lines of an invocation, if it logged any.
    pub(super) fn of(&self, invocation: &str) -> Option<&Log> {
        self.logs.get(invocation)
    }
}

impl Log {
    fn push(&mut self, line: LogLine) {
        /// What a line takes besides its texts.
        const LINE: usize = size_of::<LogLine>();

        let bytes = LINE + line.message.len() + line.context.as_ref().map_or(0, String::len);
        self.is_cut = self.is_cut || self.bytes + bytes > BYTES;
        if !self.is_cut {
            self.bytes += bytes;
            self.lines.push(line);
        }
    }
}
