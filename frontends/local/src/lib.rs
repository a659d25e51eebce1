//! Runs a function on events from stdin, and writes the results to stdout, as a part of a shell pipe.
//!
//! ```
//! use std::{io, num::NonZeroUsize, sync::Arc};
//!
//! use http::HeaderValue;
//! use nebula_local::{JobOutcome, Events, Job, Output};
//! use nebula_runtime::{Response, invoker_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Any invoker works. This one answers every event with the event itself.
//! let echo = Arc::new(invoker_fn(async |invocation| {
//!     let body = invocation.event.into_parts().0.into_body();
//!     Ok(Response::new(HeaderValue::from_static("application/json"), body, invocation.report))
//! }));
//! let job = Job {
//!     function: "echo".parse()?,
//!     events: Events::Lines { jobs: NonZeroUsize::MIN },
//!     output: Output::Body,
//!     max_event: 1 << 20,
//!     max_result: 1 << 20,
//! };
//! let stdin = io::Cursor::new("1\n[2, 3]\n");
//! let JobOutcome::Stream(summary) = nebula_local::run(echo, job, stdin, io::stdout()).await? else { unreachable!() };
//! assert_eq!((summary.events, summary.failures), (2, 0));
//! # Ok(())
//! # }
//! ```
//!
//! # Lines
//! - **Events** are lines, each with a JSON value. Blank lines are skipped, and have no line in the output.
//! - **Results** are lines in the order of the events. JSON is compacted, other text becomes a JSON string, and octets
//!   become a base64 string: the media type decides. An empty result that is not text is `null`.
//! - **Failures** are lines too, `{"error":{"kind":…,"detail":…}}`, and the stream goes on. A line that is not JSON is
//!   a failure (`invalid_input`), and so is one that is larger than an event can be (`payload_too_large`).
//! - **Memory** is bounded, also on endless input.
//! - **Results are written** at once if no other event is running, otherwise together with those of the next
//!   millisecond.

/// The examples of README.md, which are tested with those of this documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod call;
mod encode;
mod exit_code;
mod input;
mod job;
mod line_end;
mod outcome;
mod output;
mod progress;
mod single;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    io::{Read, Write},
    sync::Arc,
};

use nebula_runtime::{Event, Invoker};

pub use exit_code::{ExitCode, exit_code};
pub use job::{Events, Job, Output};
pub use outcome::{JobOutcome, LocalError, Summary};
pub use progress::Progress;

/// Runs `job`. The failure of an event is a part of the [`JobOutcome`]. If the reader of `stdout` closes it, the job
/// ends without a failure.
///
/// `stdin` and `stdout` are used from threads of their own. Dropping the future stops the guests at once. The threads
/// end after their current `read` and `write`.
///
/// # Errors
/// If stdin cannot be read, or stdout cannot be written. The results before that are written.
pub async fn run(
    invoker: Arc<dyn Invoker>,
    job: Job,
    stdin: impl Read + Send + 'static,
    stdout: impl Write + Send + 'static,
) -> Result<JobOutcome, LocalError> {
    run_with_progress(invoker, job, stdin, stdout, Arc::default()).await
}

/// The same as [`run`]. A stream counts its events in `progress`, while it runs.
///
/// # Errors
/// As [`run`].
pub async fn run_with_progress(
    invoker: Arc<dyn Invoker>,
    job: Job,
    stdin: impl Read + Send + 'static,
    stdout: impl Write + Send + 'static,
    progress: Arc<Progress>,
) -> Result<JobOutcome, LocalError> {
    let call = call::Call::new(invoker, &job);
    let output = output::write_in_thread(Box::new(stdout))?;
    let (event, end) = match job.events {
        Events::Lines { jobs } => return stream::run(call, jobs, (Box::new(stdin), progress), output).await,
        Events::Arguments(arguments) => (Event::default().with_arguments(arguments), single::End::LineFeed),
        Events::Raw(arguments) => {
            let event = Event::payload(input::body(Box::new(stdin))?, None);
            (event.with_arguments(arguments), single::End::Nothing)
        }
    };
    let form = match job.output {
        Output::Body => single::Form::Body(end),
        Output::Full => single::Form::Full,
    };
    single::run(&call, event, form, output).await
}
