//! The frontends that cases are run through.

use serde::Deserialize;

/// A frontend, in one of the ways to call a function through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frontend {
    /// The runtime, embedded in this process.
    Embedded,
    /// A request to `nebula serve`.
    Http,
    /// `nebula run FUNCTION ARG...`.
    RunArguments,
    /// `nebula run FUNCTION --raw`, with the event on stdin.
    RunRaw,
    /// `nebula run FUNCTION`, with the event as a line of stdin.
    RunLine,
    /// `nebula run FUNCTION --output full`, with arguments or `--raw`.
    RunFull,
    /// A request to a function URL of AWS Lambda, whose answer is buffered.
    LambdaBuffered,
    /// A request to a function URL of AWS Lambda, whose answer is streamed.
    LambdaStream,
    /// An event of AWS Lambda that is no request.
    LambdaEvent,
}

impl Frontend {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Embedded,
        Self::Http,
        Self::RunArguments,
        Self::RunRaw,
        Self::RunLine,
        Self::RunFull,
        Self::LambdaBuffered,
        Self::LambdaStream,
        Self::LambdaEvent,
    ];

    /// Its name, as a part of a test's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Http => "http",
            Self::RunArguments => "run_arguments",
            Self::RunRaw => "run_raw",
            Self::RunLine => "run_line",
            Self::RunFull => "run_full",
            Self::LambdaBuffered => "lambda_buffered",
            Self::LambdaStream => "lambda_stream",
            Self::LambdaEvent => "lambda_event",
        }
    }
}
