//! The options that all commands take.

use clap::Args;
use nebula_otel::Telemetry;

use crate::{guest_lines::GuestLines, log::LogOptions, places::PlaceOptions};

/// The options that all commands take.
#[derive(Debug, Args)]
pub(crate) struct Global {
    #[command(flatten)]
    pub(crate) places: PlaceOptions,
    #[command(flatten)]
    pub(crate) log: LogOptions,
    /// What a server sends to a collector, if its environment names one.
    #[arg(skip)]
    pub(crate) telemetry: Option<Telemetry>,
    /// What passes the lines of guests on to the console of the admin API.
    #[arg(skip)]
    pub(crate) guest_lines: GuestLines,
}
