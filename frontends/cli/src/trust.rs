//! The keys that versions are trusted by, where a command reads nothing else of `nebula.toml`.

use std::path::{Path, PathBuf};

use clap::Args;
use nebula_runtime::Trust;

use crate::config::{Config, ConfigError};

/// Where the keys are that versions are trusted by.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrustOptions {
    /// The configuration, whose tables trust and services say which versions may run and what they use [default: nebula.toml, if the working directory has one]
    #[arg(long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl TrustOptions {
    /// The configuration that the command line names.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Which versions this command trusts.
    pub(crate) fn trust(&self) -> Result<Trust, ConfigError> {
        self.config.as_deref().map_or_else(implied_trust, Config::read_trust)
    }
}

/// Which versions a command trusts without a configuration of its own: those that the one in the working directory says.
pub(crate) fn implied_trust() -> Result<Trust, ConfigError> {
    let path = Path::new(Config::FILE);
    if path.exists() { Config::read_trust(path) } else { Ok(Trust::default()) }
}
