//! How a job ended.

use std::{fmt, io, time::Duration};

use nebula_runtime::InvokeError;

use crate::exit_code::{ExitCode, exit_code};

/// How a job ended.
#[derive(Debug)]
pub enum JobOutcome {
    /// The one event was answered.
    Answered,
    /// The one event failed. Of its output, what came before is written.
    Failed(InvokeError),
    /// Every line of the input has its line of output.
    Stream(Summary),
    /// Whoever read the output wanted no more.
    OutputClosed,
}

/// What became of the events of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many there were.
    pub events: u64,
    /// How many of them failed.
    pub failures: u64,
    /// The exit code of the first that failed, in the input's order.
    pub first_failure: Option<u8>,
    /// How long all of them took.
    pub elapsed: Duration,
}

/// Why a job could not go on.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The input is not complete.
    #[error("failed to read stdin")]
    Read(#[source] io::Error),
    /// The output is not complete.
    #[error("failed to write stdout")]
    Write(#[source] io::Error),
    /// The machine has no thread to spare.
    #[error("failed to start a thread for stdin or stdout")]
    Thread(#[source] io::Error),
}

impl JobOutcome {
    /// The exit code of a process that ran this job and nothing else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Answered | Self::OutputClosed => ExitCode::OK,
            Self::Failed(error) => exit_code(error),
            Self::Stream(summary) => summary.first_failure.unwrap_or(ExitCode::OK),
        }
    }

    /// A broken pipe is how a reader such as `head` says that it has enough.
    pub(crate) fn after_write_error(error: io::Error) -> Result<Self, LocalError> {
        if error.kind() == io::ErrorKind::BrokenPipe { Ok(Self::OutputClosed) } else { Err(LocalError::Write(error)) }
    }
}

impl LocalError {
    /// The exit code of a process that ran this job and nothing else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Read(_) | Self::Write(_) => ExitCode::IO,
            Self::Thread(_) => ExitCode::UNAVAILABLE,
        }
    }
}

impl Summary {
    /// Adds the next event, in the input's order.
    pub(crate) fn count(&mut self, failure: Option<&InvokeError>) {
        self.events += 1;
        if let Some(error) = failure {
            self.failures += 1;
            self.first_failure.get_or_insert_with(|| exit_code(error));
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, failures, elapsed, .. } = self;
        let plural = if *events == 1 { "" } else { "s" };
        write!(f, "{events} event{plural}, {failures} failed, {:.3} s", elapsed.as_secs_f64())
    }
}
