//! `nebula run`.

mod file;
mod hangup;
mod ready;
mod status;

use std::{fs::File, io, num::NonZeroUsize, os::fd::AsFd, sync::Arc, thread};

use clap::{Args, ValueEnum};
pub(crate) use file::FileOptions;
use nebula_local::{Events, Job, JobOutcome, run_with_progress};
use nebula_runtime::{Limits, Runtime};
pub(crate) use ready::{Ready, builder};
use status::Status;

use crate::{failure::Failure, global::Global, print, target::Target, trust::TrustOptions, values::Count};

const EXAMPLES: &str = "\
Examples:
  nebula run treats.wat 10                      one event: the arguments
  nebula run add -1 2                           a published function
  nebula run calc:mul@prod 6 7                  one export of one version
  nebula run resize --raw < in.png > out.png    one event: all of stdin, streamed
  seq 1000 | nebula run treats                  an event and a result for each line
  nebula run ./greet.wasm --env LANG=en --dir ./texts::/texts --raw -- --name Ada

FUNCTION or FILE:
  A name is a FILE if it ends in .wasm or .wat, or if it has a / or . before the
  first : or @. Every other name is a published FUNCTION. To run a file that is
  named treats, write ./treats.

Arguments:
  The ARGs are one event: numbers for a core module, otherwise text. A negative
  number is an ARG too, unless it has an exponent with a sign. If a FILE is a
  command, everything after -- is the argument list of the program (ARGV).
  Otherwise, everything after -- is more ARGs: nebula run f -- -1e-7
  If a text does not end its last line, nebula adds a line end. --raw adds none.

Streams of events:
  Without ARGs and --raw, each line of stdin is an event: a JSON value. Blank lines
  are ignored. Each result is a line, in the order of the events: JSON as it is,
  other text as a JSON string, octets as a base64 string. If an event fails, its
  line is {\"error\":{\"kind\":…,\"detail\":…}}, and nebula exits with the code of
  the first event that failed. If stderr is a terminal and stdout is not, stderr
  shows how far a long stream has come.";

/// Runs a function on one event or on a stream of events
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// A published function such as treats or calc:add@prod, or a file such as ./treats.wasm
    #[arg(value_name = "FUNCTION|FILE")]
    target: Target,
    /// The arguments of the event. Without them, events come from stdin
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// Which part of each result is written
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    output: Output,
    /// Read all of stdin as one event, and write the result as it is
    #[arg(long)]
    raw: bool,
    /// How many events of a stream run at the same time [default: the number of cores]
    #[arg(long, value_name = "N", conflicts_with_all = ["raw", "args"])]
    jobs: Option<Count>,
    /// The arguments of the program, if a FILE is a command
    #[arg(last = true, value_name = "ARGV")]
    argv: Vec<String>,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    file: FileOptions,
}

/// What is written of each result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Output {
    /// The body
    #[default]
    Body,
    /// One JSON object on each line: status, headers, body and report
    Full,
}

impl Run {
    /// Runs the function, and returns the exit code of the first event that failed.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let Self { target, mut args, output, raw, jobs, file, argv, trust } = self;
        let jobs = jobs.map_or_else(cores, |count| count.0);
        let ready = Ready::prepare((target, argv), file, &trust, global, |store| builder(store, global, jobs)).await?;
        args.extend(ready.more_args);
        let limits = Limits::default().with(&ready.info.config.limits).at_most(&Limits::CEILINGS);
        // Events beyond the function's own limit would wait for half a second and then be refused.
        let jobs = jobs.min(ready.info.config.limits.concurrency.unwrap_or(jobs));
        let job = Job {
            function: ready.function,
            events: events(args, raw, jobs),
            output: output.into(),
            max_event: limits.max_request.as_u64(),
            max_result: limits.max_response.as_u64(),
        };
        finish(run(ready.runtime, job).await?)
    }
}

fn cores() -> u32 {
    thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX))
}

fn events(args: Vec<String>, raw: bool, jobs: u32) -> Events {
    match (raw, args.is_empty()) {
        (true, _) => Events::Raw(args),
        (false, false) => Events::Arguments(args),
        (false, true) => {
            Events::Lines { jobs: usize::try_from(jobs).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN) }
        }
    }
}

async fn run(runtime: Runtime, job: Job) -> Result<JobOutcome, Failure> {
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(Failure::Standard)?);
    // Not `io::stdout`, which searches everything that is written for line feeds.
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned().map_err(Failure::Standard)?);
    // A single event is not ended before it writes: its work may be more than its output, and it ends by itself.
    let is_stream = matches!(job.events, Events::Lines { .. });
    let progress = Arc::default();
    let status = is_stream.then(|| Status::start(&progress, &stdin));
    let outcome = tokio::select! {
        biased;
        outcome = run_with_progress(Arc::new(runtime), job, stdin, stdout, progress) => outcome.map_err(Failure::Local),
        () = hangup::output_closed(), if is_stream => Ok(JobOutcome::OutputClosed),
    };
    if let Some(status) = status {
        status.end().await;
    }
    outcome
}

/// Prints the summary of a stream, and returns the exit code.
fn finish(outcome: JobOutcome) -> Result<u8, Failure> {
    let code = outcome.exit_code();
    match outcome {
        JobOutcome::Answered | JobOutcome::OutputClosed => Ok(code),
        JobOutcome::Stream(summary) => {
            print::note(summary);
            Ok(code)
        }
        JobOutcome::Failed(error) => Err(error.into()),
    }
}

impl From<Output> for nebula_local::Output {
    fn from(output: Output) -> Self {
        match output {
            Output::Body => Self::Body,
            Output::Full => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests;
