//! The options that all commands take.

use clap::Args;

use crate::{log::LogOptions, places::PlaceOptions};

/// The options that all commands take.
#[derive(Debug, Args)]
pub(crate) struct Global {
    #[command(flatten)]
    pub(crate) places: PlaceOptions,
    #[command(flatten)]
    pub(crate) log: LogOptions,
}
