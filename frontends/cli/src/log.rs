//! The log on stderr.

use std::io::{self, IsTerminal as _};

use clap::{Args, ValueEnum};
use nebula_otel::Telemetry;
use nebula_runtime::stderr;
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, ParseError, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::{failure::Failure, guest_lines::GuestLines};

/// The log's filter and format.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct LogOptions {
    /// Which lines are logged to stderr: a level, or levels of parts such as "warn,nebula=debug"
    #[arg(long, global = true, value_name = "FILTER", env = "NEBULA_LOG", default_value = "warn,nebula=info")]
    #[arg(hide_env_values = true)]
    log: String,
    /// The format of the log
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

impl LogOptions {
    /// The format of a line of the log.
    pub(crate) fn format(&self) -> LogFormat {
        self.log_format
    }
}

/// The format of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people, with colours on a terminal
    Text,
    /// For programs: one JSON object on each line
    Json,
}

/// Starts the log of the whole process. Its lines are written from a queue: see [`stderr`]. `telemetry` sends them too, and
/// `guest_lines` passes those of guests on.
pub(crate) fn start(
    options: &LogOptions,
    telemetry: Option<&Telemetry>,
    guest_lines: &GuestLines,
) -> Result<(), Failure> {
    let invalid = |error: ParseError| Failure::Usage(format!("invalid log filter {:?}: {error}", options.log));
    let filter: Targets = options.log.parse().map_err(invalid)?;
    // Lines of levels that are not logged at all cost nothing where the writer does not ask for them either.
    let most = Layer::<Registry>::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE);
    let log = tracing_subscriber::fmt().with_max_level(most).with_writer(stderr::log_writer);
    let log = log.log_internal_errors(false);
    let (sent, passed) = (telemetry.and_then(Telemetry::log_layer), guest_lines.clone());
    let started = match options.log_format {
        LogFormat::Text => {
            log.with_ansi(io::stderr().is_terminal()).finish().with(sent).with(passed).with(filter).try_init()
        }
        LogFormat::Json => log.json().flatten_event(true).finish().with(sent).with(passed).with(filter).try_init(),
    };
    started.map_err(|error| Failure::Usage(format!("failed to start the log: {error}")))
}
