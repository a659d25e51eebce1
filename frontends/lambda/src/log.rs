//! The log on stderr, which Lambda sends to CloudWatch.

use std::panic;

use nebula_runtime::stderr;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::config::{Config, InvalidConfig, LogConfig, LogFormat};

/// Takes the lines of the log as well, such as to send them to a collector.
pub type LogLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts the log of the whole process. Its lines are written from a queue (see [`stderr`]), and `also` takes them too.
/// [`run`](crate::run) empties the queue before Lambda freezes the environment, and
/// [`FlushAtExit`](stderr::FlushAtExit) before the process ends. If the process has a log already, that stays.
///
/// # Errors
/// If the filter is invalid.
pub fn start_log(config: &Config, also: Option<LogLayer>) -> Result<(), InvalidConfig> {
    let LogConfig { filter, format } = &config.log;
    let filter: Targets = filter.parse().map_err(|error| config.log.invalid_filter(error))?;
    panic::set_hook(Box::new(stderr::note_panic));
    let lines = fmt::layer().with_writer(stderr::log_writer).with_ansi(false);
    let log = Registry::default().with(also);
    let started = match format {
        // CloudWatch adds the time to each line.
        LogFormat::Text => log.with(lines.without_time()).with(filter).try_init(),
        LogFormat::Json => log.with(lines.json().flatten_event(true)).with(filter).try_init(),
    };
    drop(started);
    Ok(())
}
