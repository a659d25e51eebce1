//! What to run, on what, and how results are written.

use std::num::NonZeroUsize;

use nebula_runtime::FunctionRef;

/// What to run, on what, and how results are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The function.
    pub function: FunctionRef,
    /// Its events.
    pub events: Events,
    /// What is written of each result.
    pub output: Output,
    /// The size of the largest event that a line may be, in bytes.
    pub max_event: u64,
    /// The size of the largest result that is written as one line, in bytes.
    pub max_result: u64,
}

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Events {
    /// One event, of these arguments. Stdin is not read. A textual result that does not end its last line gets the line
    /// end that a shell expects.
    Arguments(Vec<String>),
    /// One event: the whole of stdin, streamed, with these arguments. Nothing is added to the result.
    Raw(Vec<String>),
    /// Each line of stdin that is not blank is one event, a JSON value.
    Lines {
        /// How many are run at once: up to 1024.
        jobs: NonZeroUsize,
    },
}

/// What is written of each result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// The body: for one event its octets as they come, for lines a JSON value on a line.
    #[default]
    Body,
    /// Status, headers, body and report, as one JSON object on a line.
    Full,
}
