//! Limits, as they are written.

use nebula_runtime::LimitSettings;
use serde::Deserialize;

use crate::values::{Count, Rate, Size, Timeout};

/// Limits of one invocation, and of the number of them.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Limits {
    /// The memory of one invocation.
    pub(super) memory: Option<Size>,
    /// The time of one invocation.
    pub(super) timeout: Option<Timeout>,
    /// The largest request.
    pub(super) max_request: Option<Size>,
    /// The largest response. If `[ceilings]` sets it, it also limits the responses that HTTP handlers stream.
    pub(super) max_response: Option<Size>,
    /// The number of invocations of one function that may run at the same time.
    pub(super) concurrency: Option<Count>,
    /// How often one function may be called on each node.
    pub(super) rate: Option<Rate>,
}

impl Limits {
    pub(in crate::config) fn settings(&self) -> LimitSettings {
        let mut settings = LimitSettings::default();
        settings.memory = self.memory.map(|size| size.0);
        settings.timeout = self.timeout.map(|timeout| timeout.0);
        settings.max_request = self.max_request.map(|size| size.0);
        settings.max_response = self.max_response.map(|size| size.0);
        settings.concurrency = self.concurrency.map(|count| count.0);
        settings.rate = self.rate.map(|rate| rate.0);
        settings
    }
}
