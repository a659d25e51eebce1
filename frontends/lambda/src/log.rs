//! The log on stderr, which Lambda sends to CloudWatch.

use std::panic;

use nebula_runtime::stderr;
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::config::{Config, InvalidConfig, LogConfig, LogFormat};

/// Starts the log of the whole process. Its lines are written from a queue (see [`stderr`]). [`run`](crate::run)
/// empties the queue before Lambda freezes the environment, and [`FlushAtExit`](stderr::FlushAtExit) before the process
/// ends. If the process has a log already, that stays.
///
/// # Errors
/// If the filter is invalid.
pub fn start_log(config: &Config) -> Result<(), InvalidConfig> {
    let LogConfig { filter, format } = &config.log;
    let filter: Targets = filter.parse().map_err(|error| config.log.invalid_filter(error))?;
    panic::set_hook(Box::new(stderr::note_panic));
    // Lines of levels that are not logged at all cost nothing where the writer does not ask for them either.
    let most = Layer::<Registry>::max_level_hint(&filter).unwrap_or(LevelFilter::TRACE);
    let log = tracing_subscriber::fmt().with_max_level(most).with_writer(stderr::log_writer);
    let log = log.with_ansi(false);
    let started = match format {
        // CloudWatch adds the time to each line.
        LogFormat::Text => log.without_time().finish().with(filter).try_init(),
        LogFormat::Json => log.json().flatten_event(true).finish().with(filter).try_init(),
    };
    drop(started);
    Ok(())
}
