//! The functions of an environment.

use std::sync::Arc;

use nebula_http::Metrics;
use nebula_runtime::{Catalog, Invoker};

use crate::flush::Flush;

/// The functions of an environment.
#[derive(Clone)]
pub struct Functions {
    /// Calls the functions. Its observers log the reports and keep the metrics.
    pub invoker: Arc<dyn Invoker>,
    /// Lists the functions.
    pub catalog: Arc<dyn Catalog>,
    /// The metrics that `/metrics` shows.
    pub metrics: Metrics,
    /// Called after each event and before the environment ends, where more than the log is to be sent: Lambda freezes
    /// the environment between two events. The next event waits for it, for at most a second.
    pub flush: Option<Flush>,
}
