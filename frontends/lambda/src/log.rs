//! The log on stderr, which Lambda takes to CloudWatch.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::{
    Config, InvalidConfig,
    config::{LogConfig, LogFormat},
};

/// Starts logging for the whole process. Lines are written at once: nothing is to be flushed when Lambda freezes or ends the
/// environment. A process that logs already goes on as it does.
///
/// # Errors
/// Where the filter is none.
pub fn start_log(config: &Config) -> Result<(), InvalidConfig> {
    let LogConfig { filter, format } = &config.log;
    let filter = EnvFilter::builder().parse(filter).map_err(|error| config.log.invalid_filter(error))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    let started = match format {
        // CloudWatch notes the time of each line.
        LogFormat::Text => log.without_time().try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    drop(started);
    Ok(())
}
