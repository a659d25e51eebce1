//! A function, as it is written.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf};

use nebula_runtime::{
    Batch, Caching, ConfigValue, Cors, Destination, FunctionRef, HostPattern, LimitSettings, ServiceGrant, Snapshot,
};
use serde::Deserialize;

use super::limits::Limits;
use crate::values::{Count, FilePattern, MediaType, Rate, ShellCommand, Size, Timeout, VariableName};

// The keys of `Limits` stand here once more: serde cannot both flatten and refuse unknown keys.
/// A function: its file, its limits, and what it may use.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Function {
    /// The WebAssembly file, binary or text, or an artifact of a registry: `oci://REGISTRY/REPOSITORY:TAG`. A relative path
    /// starts at the folder of `nebula.toml`.
    pub(in crate::config) source: PathBuf,
    /// The command that makes the source. It runs in a shell, in the folder of `nebula.toml`.
    pub(in crate::config) build: Option<ShellCommand>,
    /// The export that a call without a name means. It is also the one that a command runs in place of `_start`.
    pub(in crate::config) export: Option<String>,
    /// The memory of one invocation: its linear memories and the heap of its garbage collector.
    pub(in crate::config) memory: Option<Size>,
    /// The time of one invocation. Time for which the function waits for its reader does not count.
    pub(in crate::config) timeout: Option<Timeout>,
    /// The largest request.
    pub(in crate::config) max_request: Option<Size>,
    /// The largest response. What an HTTP handler streams is limited only if this key is set.
    pub(in crate::config) max_response: Option<Size>,
    /// The number of invocations of the function that may run at the same time.
    pub(in crate::config) concurrency: Option<Count>,
    /// How often the function may be called on each node. As many calls as one period allows may come at once.
    pub(in crate::config) rate: Option<Rate>,
    /// The arguments of a command, after its name.
    #[serde(default)]
    pub(in crate::config) args: Vec<String>,
    /// The environment variables of the function. It has no others. A value is a text, or says where the node that runs the
    /// function has it: `{ env = "NAME" }` or `{ file = "PATH" }`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<VariableName, WrittenValue>"))]
    pub(in crate::config) env: BTreeMap<VariableName, ConfigValue>,
    /// The folders of this machine that the function can use.
    #[serde(default)]
    pub(in crate::config) dirs: Vec<Dir>,
    /// The hosts to which the function may send HTTP requests: `api.example.com`, `*.example.com`, `HOST:PORT`, or an
    /// address.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(in crate::config) allow_hosts: Vec<HostPattern>,
    /// The hosts and ports to which a component may connect with TCP: `db.example.com:5432`, `10.0.0.5:5432`, or `*:443` for any
    /// public address. With `udp://` before it, the component may exchange datagrams with it: `udp://10.0.0.2:53`. An address that
    /// is not public must be named itself.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(in crate::config) connect: Vec<Destination>,
    /// The settings that a component reads through `wasi:config`, and a module as environment variables. Values are written as
    /// those of `env`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenValue>"))]
    pub(in crate::config) config: BTreeMap<String, ConfigValue>,
    /// The key-value stores that a component may use. The key is the component's own name for a store. The value is the name
    /// of a service, or a table with its name and limits.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenGrant>"))]
    pub(in crate::config) keyvalue: BTreeMap<String, ServiceGrant>,
    /// The containers of blobs that a component may use. The key is the component's own name for a container. The value is
    /// the name of a service, or a table with its name and limits.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenGrant>"))]
    pub(in crate::config) blobs: BTreeMap<String, ServiceGrant>,
    /// Which function provides each import of a component. The key is the import's name.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    pub(in crate::config) imports: BTreeMap<String, FunctionRef>,
    /// `"pure"` keeps the results of a core module that imports nothing: a call with the same arguments gets the result that was
    /// computed before. The module runs with canonical NaNs and deterministic relaxed SIMD.
    #[cfg_attr(test, schemars(with = "Option<crate::config::reference::Caching>"))]
    pub(in crate::config) cache: Option<Caching>,
    /// Initialises a command (WASI preview 1) once, when it is published: `true` by its export `wizer-initialize` or
    /// `wizer.initialize`, a text by the export of this name. Its calls start from the image of that.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "WrittenSnapshot"))]
    pub(in crate::config) snapshot: Snapshot,
    /// Lets an instance of a `wasi:http` 0.3 handler serve several requests, one after another. The requests share the
    /// memory of the instance.
    #[cfg_attr(test, schemars(with = "Option<WrittenReuse>"))]
    pub(in crate::config) reuse: Option<Reuse>,
    /// The media type of a command's output. Without it, Nebula looks at the output: JSON, else text, else octets.
    pub(in crate::config) content_type: Option<MediaType>,
    /// On AWS Lambda, `"item"` calls the function once for each record of a batch.
    #[cfg_attr(test, schemars(with = "Option<crate::config::reference::Batch>"))]
    pub(in crate::config) batch: Option<Batch>,
    /// Whether a CloudEvent in the structured mode (`application/cloudevents+json`) gives the function its data only. A
    /// `wasi:http` handler gets the whole event all the same.
    #[serde(default)]
    pub(in crate::config) cloudevents: bool,
    /// Which pages of other origins may call the function from a browser. A `wasi:http` handler answers for itself.
    #[cfg_attr(test, schemars(with = "Option<WrittenCors>"))]
    pub(in crate::config) cors: Option<Cors>,
    /// How the function is called on Azure Functions.
    pub(in crate::config) azure: Option<Azure>,
    /// The longest time that the build may take.
    pub(in crate::config) build_timeout: Option<Timeout>,
    /// The files that the build depends on, as patterns of `.gitignore`. Default: all files in the folder of
    /// `nebula.toml`.
    #[serde(default)]
    pub(in crate::config) watch: Vec<FilePattern>,
}

impl Function {
    pub(in crate::config) fn limits(&self) -> LimitSettings {
        let Self { memory, timeout, max_request, max_response, concurrency, rate, .. } = *self;
        Limits { memory, timeout, max_request, max_response, concurrency, rate }.settings()
    }
}

/// A value, or where the node has it.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged, rename_all = "snake_case")]
#[expect(dead_code, reason = "it is described, and never made")]
pub(in crate::config) enum WrittenValue {
    /// The value itself.
    Text(String),
    /// An environment variable of the node that runs the function.
    Variable {
        /// Its name.
        env: String,
    },
    /// A file of the node that runs the function.
    File {
        /// Its path. A relative path starts at the folder of `nebula.toml`.
        file: PathBuf,
    },
}

/// Whether a command is initialised when it is published, or by which export.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(in crate::config) enum WrittenSnapshot {
    /// Whether by its usual export.
    Usual(bool),
    /// By this export.
    Export(String),
}

/// A service that a function may use.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(in crate::config) enum WrittenGrant {
    /// The name of the service.
    Service(String),
    /// The name of the service, and limits.
    Limited(LimitedGrant),
}

/// A service that a function may use within limits.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(in crate::config) struct LimitedGrant {
    /// The name of the service.
    service: String,
    /// What each key, or the name of each blob, begins with in the service. The function does not see it.
    #[schemars(default)]
    prefix: String,
    /// Whether the function may only read.
    #[schemars(default)]
    readonly: bool,
    /// The largest value, or the largest blob.
    max_value: Option<Size>,
    /// The largest number of keys, or of blobs.
    max_keys: Option<u64>,
    /// The largest size of all values or blobs together.
    max_size: Option<Size>,
}

/// Which pages of other origins may call functions from a browser.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(super) struct WrittenCors {
    /// The origins of the pages, such as `https://shop.example.com`, `https://*.example.com` for all names below it, or `*` for
    /// any origin.
    origins: Vec<String>,
    /// The header fields that the pages may send. Without it, they may send any.
    headers: Option<Vec<String>>,
    /// The header fields of answers that the pages may read, besides those that every page may read.
    expose: Option<Vec<String>>,
    /// Whether the pages may send cookies. The origins must then be named.
    credentials: Option<bool>,
    /// How long a browser may remember what is allowed.
    max_age: Option<Timeout>,
}

/// How a function is called on Azure Functions.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Azure {
    /// The bindings in the `function.json` of the function, in Azure's own words. Without them, HTTP requests call the
    /// function.
    pub(in crate::config) bindings: Vec<BTreeMap<String, serde_json::Value>>,
}

/// A folder of this machine that the function can use.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Dir {
    /// The folder on this machine. A relative path starts at the folder of `nebula.toml`.
    pub(in crate::config) host: PathBuf,
    /// The path at which the function sees the folder, such as `/data`.
    pub(in crate::config) guest: String,
    /// Whether the function may change files in the folder.
    #[serde(default)]
    pub(in crate::config) writable: bool,
}

/// `reuse` of a function.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "WrittenReuse")]
pub(in crate::config) struct Reuse(pub(in crate::config) nebula_runtime::Reuse);

/// How an instance serves several requests, one after another.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WrittenReuse {
    /// The number of requests after which the instance is replaced.
    max_requests: Option<NonZeroU32>,
    /// Only 1 is accepted: an instance serves one request at a time.
    max_concurrent: Option<NonZeroU32>,
    /// How long the instance waits for its next request.
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
