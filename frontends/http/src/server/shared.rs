//! What all connections of a server share.

use std::sync::Arc;

use super::{config::ServerConfig, trailers::DroppedTrailers};
use crate::{app::App, shutdown::Shutdown};

/// What all connections of a server share.
pub(super) struct Shared {
    pub(super) app: App,
    pub(super) limits: ServerConfig,
    pub(super) shutdown: Shutdown,
    pub(super) dropped_trailers: Arc<DroppedTrailers>,
}
