//! A job: the function, its events, and the form of the output.

use std::num::NonZeroUsize;

use nebula_runtime::FunctionRef;

/// A job: the function, its events, and the form of the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The function.
    pub function: FunctionRef,
    /// The events.
    pub events: Events,
    /// The form of the output.
    pub output: Output,
    /// The largest size of an event on a line, in bytes.
    pub max_event: u64,
    /// The largest size of a result that is written as one line, in bytes.
    pub max_result: u64,
}

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Events {
    /// One event, made of these arguments. Stdin is not read. If a textual result has no line feed at its end, one is
    /// added, as a shell expects.
    Arguments(Vec<String>),
    /// One event: all of stdin, streamed, with these arguments. Nothing is added to the result.
    Raw(Vec<String>),
    /// Each line of stdin that is not blank is one event, a JSON value.
    Lines {
        /// How many events run at once: up to 1024.
        jobs: NonZeroUsize,
    },
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// The body: of one event its bytes as they come, of lines a JSON value on each line.
    #[default]
    Body,
    /// One JSON object on a line, with status, headers, body and report.
    Full,
}
