//! `nebula.toml` as it is written.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf};

use nebula_http::InvalidNetwork;
use nebula_runtime::{Batch, FunctionName, FunctionRef, HostPattern, InvalidFunctionRef, LimitSettings};
use serde::Deserialize;

use crate::values::{Count, FilePattern, MediaType, ShellCommand, Size, Timeout, VariableName};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) functions: BTreeMap<FunctionName, Function>,
    pub(super) routes: Vec<Route>,
    pub(super) limits: Limits,
    pub(super) ceilings: Limits,
    pub(super) server: Server,
    pub(super) watch: Watch,
}

/// `[functions.NAME]`. The keys of [`Limits`] stand here once more: serde cannot both flatten and refuse unknown keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Function {
    pub(super) source: PathBuf,
    pub(super) build: Option<ShellCommand>,
    pub(super) export: Option<String>,
    pub(super) memory: Option<Size>,
    pub(super) timeout: Option<Timeout>,
    pub(super) max_request: Option<Size>,
    pub(super) max_response: Option<Size>,
    pub(super) concurrency: Option<Count>,
    #[serde(default)]
    pub(super) args: Vec<String>,
    #[serde(default)]
    pub(super) env: BTreeMap<VariableName, String>,
    #[serde(default)]
    pub(super) dirs: Vec<Dir>,
    #[serde(default)]
    pub(super) allow_hosts: Vec<HostPattern>,
    #[serde(default)]
    pub(super) imports: BTreeMap<String, FunctionRef>,
    pub(super) reuse: Option<Reuse>,
    pub(super) content_type: Option<MediaType>,
    pub(super) batch: Option<Batch>,
    pub(super) build_timeout: Option<Timeout>,
    #[serde(default)]
    pub(super) watch: Vec<FilePattern>,
}

/// One of `dirs`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dir {
    pub(super) host: PathBuf,
    pub(super) guest: String,
    #[serde(default)]
    pub(super) writable: bool,
}

/// One of `[[routes]]`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenRoute")]
pub(super) struct Route(pub(super) nebula_http::Route);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRoute {
    path: String,
    host: Option<String>,
    function: String,
}

impl TryFrom<WrittenRoute> for Route {
    type Error = String;

    fn try_from(WrittenRoute { path, host, function }: WrittenRoute) -> Result<Self, String> {
        let function = function.parse().map_err(|error: InvalidFunctionRef| error.to_string())?;
        nebula_http::Route::new(host.as_deref(), &path, function).map(Self).map_err(|error| error.to_string())
    }
}

/// `reuse` of a function.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "WrittenReuse")]
pub(super) struct Reuse(pub(super) nebula_runtime::Reuse);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenReuse {
    max_requests: Option<NonZeroU32>,
    /// Accepted as 1 alone: an earlier Nebula let an instance serve several requests at once.
    max_concurrent: Option<NonZeroU32>,
    idle: Option<Timeout>,
}

impl TryFrom<WrittenReuse> for Reuse {
    type Error = String;

    fn try_from(WrittenReuse { max_requests, max_concurrent, idle }: WrittenReuse) -> Result<Self, String> {
        if let Some(several) = max_concurrent.filter(|count| *count > NonZeroU32::MIN) {
            return Err(format!("an instance serves one request at a time: leave out max_concurrent = {several}"));
        }
        let mut reuse = nebula_runtime::Reuse::default();
        reuse.max_requests = max_requests.unwrap_or(reuse.max_requests);
        reuse.idle = idle.map_or(reuse.idle, |idle| idle.0);
        Ok(Self(reuse))
    }
}

/// `[limits]` and `[ceilings]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    memory: Option<Size>,
    timeout: Option<Timeout>,
    max_request: Option<Size>,
    max_response: Option<Size>,
    concurrency: Option<Count>,
}

/// `[server]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    pub(super) concurrency: Option<Count>,
    pub(super) trusted_proxies: Vec<Network>,
}

/// One of `trusted_proxies`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Network(pub(super) nebula_http::Network);

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse().map(Self)
    }
}

/// `[watch]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Watch {
    pub(super) ignore: Vec<FilePattern>,
    pub(super) poll: Option<Timeout>,
}

impl Function {
    pub(super) fn limits(&self) -> LimitSettings {
        let Self { memory, timeout, max_request, max_response, concurrency, .. } = *self;
        Limits { memory, timeout, max_request, max_response, concurrency }.settings()
    }
}

impl Limits {
    pub(super) fn settings(&self) -> LimitSettings {
        let mut settings = LimitSettings::default();
        settings.memory = self.memory.map(|size| size.0);
        settings.timeout = self.timeout.map(|timeout| timeout.0);
        settings.max_request = self.max_request.map(|size| size.0);
        settings.max_response = self.max_response.map(|size| size.0);
        settings.concurrency = self.concurrency.map(|count| count.0);
        settings
    }
}
