//! Runs a function on events from stdin and writes the results to stdout, as a part of a shell's pipe.
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
//! // Any invoker will do; this one answers every event with itself.
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
//! - **Events** are lines, each a JSON value. Blank lines are passed over, and have no line in the output.
//! - **Results** are lines in the events' order: JSON compacted, other text as a JSON string, octets as a base64 string.
//!   The media type says which; an empty result without text is `null`.
//! - **Failures** are lines as well, `{"error":{"kind":…,"detail":…}}`, and the stream goes on: also where a line is not
//!   JSON (`invalid_input`) or longer than an event may be (`payload_too_large`).
//! - **Memory** is bounded on endless input. **Results** are written when nothing else is under way, otherwise together
//!   with those of the next millisecond.

mod call;
mod encode;
mod exit_code;
mod input;
mod job;
mod line_end;
mod outcome;
mod output;
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

/// Runs `job`. A failed event is part of its [`JobOutcome`]; a reader that closes `stdout` ends it quietly.
///
/// `stdin` and `stdout` are used from threads of their own. Dropping the future stops the guests at once; the threads end
/// with their current `read` and `write`.
///
/// # Errors
/// Where stdin cannot be read or stdout not be written. The results until then are written.
pub async fn run(
    invoker: Arc<dyn Invoker>,
    job: Job,
    stdin: impl Read + Send + 'static,
    stdout: impl Write + Send + 'static,
) -> Result<JobOutcome, LocalError> {
    let call = call::Call::new(invoker, &job);
    let output = output::write_in_thread(Box::new(stdout))?;
    let (event, end) = match job.events {
        Events::Lines { jobs } => return stream::run(call, jobs, Box::new(stdin), output).await,
        Events::Arguments(arguments) => (Event::default().with_arguments(arguments), single::End::OfLine),
        Events::Raw(arguments) => {
            let event = Event::payload(input::body(Box::new(stdin))?, None);
            (event.with_arguments(arguments), single::End::AsItIs)
        }
    };
    let form = match job.output {
        Output::Body => single::Form::Body(end),
        Output::Full => single::Form::Full,
    };
    single::run(&call, event, form, output).await
}
