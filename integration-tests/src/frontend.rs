//! The frontends that run the cases.

use serde::Deserialize;

/// A way to call a function: a frontend together with the form of the call.
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
    /// A request to an AWS Lambda function URL with a buffered response.
    LambdaBuffered,
    /// A request to an AWS Lambda function URL with a streamed response.
    LambdaStream,
    /// An AWS Lambda event that is not an HTTP request.
    LambdaEvent,
    /// A request to a container of an image.
    Image,
    /// A request that Azure's host forwards to a custom handler.
    AzureRequest,
    /// A message of a queue, which Azure's host sends to a custom handler.
    AzureEvent,
}

impl Frontend {
    /// All frontends.
    pub const ALL: [Self; 12] = [
        Self::Embedded,
        Self::Http,
        Self::RunArguments,
        Self::RunRaw,
        Self::RunLine,
        Self::RunFull,
        Self::LambdaBuffered,
        Self::LambdaStream,
        Self::LambdaEvent,
        Self::Image,
        Self::AzureRequest,
        Self::AzureEvent,
    ];

    /// The name, as part of a test's name.
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
            Self::Image => "image",
            Self::AzureRequest => "azure_request",
            Self::AzureEvent => "azure_event",
        }
    }
}
