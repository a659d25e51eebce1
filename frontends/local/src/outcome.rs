//! The outcome of a job.

use std::{fmt, io, time::Duration};

use nebula_runtime::InvokeError;

use crate::exit_code::{ExitCode, exit_code};

/// The outcome of a job.
#[derive(Debug)]
pub enum JobOutcome {
    /// The one event was answered.
    Answered,
    /// The one event failed. The output before the failure is written.
    Failed(InvokeError),
    /// Every line of the input is answered.
    Stream(Summary),
    /// The reader of the output closed it.
    OutputClosed,
}

/// The result of a stream of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of events.
    pub events: u64,
    /// The number of events that failed.
    pub failures: u64,
    /// The exit code for the first event that failed, in the order of the input.
    pub first_failure: Option<u8>,
    /// How long the whole stream took.
    pub elapsed: Duration,
}

/// Why a job was broken off.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The input could not be read to its end.
    #[error("failed to read stdin")]
    Read(#[source] io::Error),
    /// The output could not be written.
    #[error("failed to write stdout")]
    Write(#[source] io::Error),
    /// The system has no thread left.
    #[error("failed to start a thread for stdin or stdout")]
    Thread(#[source] io::Error),
}

impl JobOutcome {
    /// The exit code of a process for this job.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Answered | Self::OutputClosed => ExitCode::OK,
            Self::Failed(error) => exit_code(error),
            Self::Stream(summary) => summary.first_failure.unwrap_or(ExitCode::OK),
        }
    }

    /// The outcome after a write has failed. A reader such as `head` closes its pipe when it has enough: that is no
    /// failure.
    pub(crate) fn after_write_error(error: io::Error) -> Result<Self, LocalError> {
        if error.kind() == io::ErrorKind::BrokenPipe { Ok(Self::OutputClosed) } else { Err(LocalError::Write(error)) }
    }
}

impl LocalError {
    /// The exit code of a process for this job.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Read(_) | Self::Write(_) => ExitCode::IO,
            Self::Thread(_) => ExitCode::UNAVAILABLE,
        }
    }
}

impl Summary {
    /// Adds the next event, in the order of the input.
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
