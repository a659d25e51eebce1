//! `nebula.toml` as it is written.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use nebula_http::InvalidNetwork;
use nebula_runtime::{
    Batch, ConfigValue, Cors, Destination, FunctionName, FunctionRef, HostPattern, InvalidFunctionRef, LimitSettings,
    ServiceGrant, ServicesConfig,
};
use serde::Deserialize;

use crate::values::{Count, FilePattern, MediaType, Rate, ShellCommand, Size, Timeout, VariableName};

/// What `nebula serve` and `nebula publish` read.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    /// The functions to publish, by their names.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, Function>"))]
    pub(super) functions: BTreeMap<FunctionName, Function>,
    /// Paths and hosts that belong to one function.
    #[cfg_attr(test, schemars(with = "Vec<WrittenRoute>"))]
    pub(super) routes: Vec<Route>,
    /// The limits of each function that does not set its own.
    pub(super) limits: Limits,
    /// The highest limits that a function can have.
    pub(super) ceilings: Limits,
    /// Settings of the server.
    pub(super) server: Server,
    /// The admin API of `nebula serve --admin`.
    pub(super) admin: Admin,
    /// The services of this node, by the names that functions use.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenService>"))]
    pub(super) services: ServicesConfig,
    /// Which versions may run.
    pub(super) trust: Trust,
    /// What the sandbox of `nebula serve` is open for, besides what this file names.
    pub(super) sandbox: Sandbox,
    /// How `nebula serve --watch` watches files.
    pub(super) watch: Watch,
}

// The keys of `Limits` stand here once more: serde cannot both flatten and refuse unknown keys.
/// A function: its file, its limits, and what it may use.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Function {
    /// The WebAssembly file, binary or text, or an artifact of a registry: `oci://REGISTRY/REPOSITORY:TAG`. A relative path
    /// starts at the folder of `nebula.toml`.
    pub(super) source: PathBuf,
    /// The command that makes the source. It runs in a shell, in the folder of `nebula.toml`.
    pub(super) build: Option<ShellCommand>,
    /// The export that a call without a name means. It is also the one that a command runs in place of `_start`.
    pub(super) export: Option<String>,
    /// The memory of one invocation: its linear memories and the heap of its garbage collector.
    pub(super) memory: Option<Size>,
    /// The time of one invocation. Time for which the function waits for its reader does not count.
    pub(super) timeout: Option<Timeout>,
    /// The largest request.
    pub(super) max_request: Option<Size>,
    /// The largest response. What an HTTP handler streams is limited only if this key is set.
    pub(super) max_response: Option<Size>,
    /// The number of invocations of the function that may run at the same time.
    pub(super) concurrency: Option<Count>,
    /// How often the function may be called on each node. As many calls as one period allows may come at once.
    pub(super) rate: Option<Rate>,
    /// The arguments of a command, after its name.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// The environment variables of the function. It has no others. A value is a text, or says where the node that runs the
    /// function has it: `{ env = "NAME" }` or `{ file = "PATH" }`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<VariableName, WrittenValue>"))]
    pub(super) env: BTreeMap<VariableName, ConfigValue>,
    /// The folders of this machine that the function can use.
    #[serde(default)]
    pub(super) dirs: Vec<Dir>,
    /// The hosts to which the function may send HTTP requests: `api.example.com`, `*.example.com`, `HOST:PORT`, or an
    /// address.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(super) allow_hosts: Vec<HostPattern>,
    /// The hosts and ports to which a component may connect with TCP: `db.example.com:5432`, `10.0.0.5:5432`, or `*:443` for any
    /// public address. With `udp://` before it, the component may exchange datagrams with it: `udp://10.0.0.2:53`. An address that
    /// is not public must be named itself.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(super) connect: Vec<Destination>,
    /// The settings that a component reads through `wasi:config`, and a module as environment variables. Values are written as
    /// those of `env`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenValue>"))]
    pub(super) config: BTreeMap<String, ConfigValue>,
    /// The key-value stores that a component may use. The key is the component's own name for a store. The value is the name
    /// of a service, or a table with its name and limits.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenGrant>"))]
    pub(super) keyvalue: BTreeMap<String, ServiceGrant>,
    /// The containers of blobs that a component may use. The key is the component's own name for a container. The value is
    /// the name of a service, or a table with its name and limits.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, WrittenGrant>"))]
    pub(super) blobs: BTreeMap<String, ServiceGrant>,
    /// Which function provides each import of a component. The key is the import's name.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
    pub(super) imports: BTreeMap<String, FunctionRef>,
    /// Lets an instance of a `wasi:http` 0.3 handler serve several requests, one after another. The requests share the
    /// memory of the instance.
    #[cfg_attr(test, schemars(with = "Option<WrittenReuse>"))]
    pub(super) reuse: Option<Reuse>,
    /// The media type of a command's output. Without it, Nebula looks at the output: JSON, else text, else octets.
    pub(super) content_type: Option<MediaType>,
    /// On AWS Lambda, `"item"` calls the function once for each record of a batch.
    #[cfg_attr(test, schemars(with = "Option<super::reference::Batch>"))]
    pub(super) batch: Option<Batch>,
    /// Whether a CloudEvent in the structured mode (`application/cloudevents+json`) gives the function its data only. A
    /// `wasi:http` handler gets the whole event all the same.
    #[serde(default)]
    pub(super) cloudevents: bool,
    /// Which pages of other origins may call the function from a browser. A `wasi:http` handler answers for itself.
    #[cfg_attr(test, schemars(with = "Option<WrittenCors>"))]
    pub(super) cors: Option<Cors>,
    /// How the function is called on Azure Functions.
    pub(super) azure: Option<Azure>,
    /// The longest time that the build may take.
    pub(super) build_timeout: Option<Timeout>,
    /// The files that the build depends on, as patterns of `.gitignore`. Default: all files in the folder of
    /// `nebula.toml`.
    #[serde(default)]
    pub(super) watch: Vec<FilePattern>,
}

/// A value, or where the node has it.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged, rename_all = "snake_case")]
#[expect(dead_code, reason = "it is described, and never made")]
pub(super) enum WrittenValue {
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

/// A service that a function may use.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(super) enum WrittenGrant {
    /// The name of the service.
    Service(String),
    /// The name of the service, and limits.
    Limited(LimitedGrant),
}

/// A service that a function may use within limits.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(super) struct LimitedGrant {
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

/// What stands behind the name of a service.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(super) struct WrittenService {
    /// A key-value store: `memory:`, `redb:PATH`, `redis://HOST:PORT/DATABASE`, `nats://HOST:PORT/BUCKET` or `s3://BUCKET/PREFIX`.
    keyvalue: Option<WrittenValue>,
    /// A container of blobs: `memory:`, `folder:PATH`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or
    /// `az://CONTAINER/PREFIX`. A relative path starts at the folder of `nebula.toml`.
    blobs: Option<WrittenValue>,
}

/// How a function is called on Azure Functions.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Azure {
    /// The bindings in the `function.json` of the function, in Azure's own words. Without them, HTTP requests call the
    /// function.
    pub(super) bindings: Vec<BTreeMap<String, serde_json::Value>>,
}

/// A folder of this machine that the function can use.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Dir {
    /// The folder on this machine. A relative path starts at the folder of `nebula.toml`.
    pub(super) host: PathBuf,
    /// The path at which the function sees the folder, such as `/data`.
    pub(super) guest: String,
    /// Whether the function may change files in the folder.
    #[serde(default)]
    pub(super) writable: bool,
}

/// One of `[[routes]]`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenRoute")]
pub(super) struct Route(pub(super) nebula_http::Route);

/// A path, a host, or a path on a host that belongs to one function.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct WrittenRoute {
    /// The path. All paths below it belong to the function too.
    path: String,
    /// The host. Without it, the route is for every host.
    host: Option<String>,
    /// The function, such as `shop`, `shop@prod` or `calc:add@3`.
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

/// Which pages of other origins may call functions from a browser.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "it is described, and never made")]
struct WrittenCors {
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

/// Limits of one invocation, and of the number of them.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    /// The memory of one invocation.
    memory: Option<Size>,
    /// The time of one invocation.
    timeout: Option<Timeout>,
    /// The largest request.
    max_request: Option<Size>,
    /// The largest response. If `[ceilings]` sets it, it also limits the responses that HTTP handlers stream.
    max_response: Option<Size>,
    /// The number of invocations of one function that may run at the same time.
    concurrency: Option<Count>,
    /// How often one function may be called on each node.
    rate: Option<Rate>,
}

/// Settings of the server.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    /// The number of invocations of all functions that may run at the same time.
    pub(super) concurrency: Option<Count>,
    /// How often one client may send requests to the functions. Clients are told apart by their address, and in IPv6 by
    /// the first 64 bits of it.
    pub(super) client_rate: Option<Rate>,
    /// Which pages of other origins may call functions that have no `cors` themselves.
    #[cfg_attr(test, schemars(with = "Option<WrittenCors>"))]
    pub(super) cors: Option<Cors>,
    /// Whether answers are compressed with gzip for clients that accept it.
    pub(super) compress: Option<bool>,
    /// The addresses and networks of proxies whose `X-Forwarded-` header fields the server believes, such as
    /// `10.0.0.0/8`. `unix` stands for the processes that connect through a Unix socket.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(super) trusted_proxies: Vec<Network>,
    /// Whether the connections of `trusted_proxies` begin with a header of the PROXY protocol, version 1 or 2.
    pub(super) proxy_protocol: bool,
    /// The certificate of the server. With it, the server speaks HTTPS on the address of `--listen`.
    pub(super) tls: Option<Tls>,
}

/// The admin API of `nebula serve --admin`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct Admin {
    /// The certificate of the admin API. An address that other machines reach needs one.
    pub(super) tls: Option<Tls>,
    /// The largest upload: a module with its configuration.
    pub(super) max_upload: Option<Size>,
}

/// A certificate and its private key. The files are read again when they change.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// The file of the certificate, and of those between it and the root, in PEM.
    pub(super) cert: PathBuf,
    /// The file of the private key, in PEM.
    pub(super) key: PathBuf,
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

/// Which versions may run. Who writes to the store can otherwise make every server run anything.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct Trust {
    /// The files with the public keys that versions are signed by, as `nebula keygen` writes them. A relative path starts at
    /// the folder of `nebula.toml`.
    pub(super) keys: Vec<PathBuf>,
    /// Whether a version runs only if one of the keys has signed it.
    pub(super) require: bool,
    /// The lowest version of a function that may run, by the function's name. The signature of the version says its number.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, u64>"))]
    pub(super) lowest: BTreeMap<FunctionName, NonZeroU64>,
}

/// What the sandbox of `nebula serve` is open for, besides the store, the services, and what the functions of this file are
/// granted. A version that is granted more is refused on this node.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sandbox {
    /// Folders and files that later versions may be granted to read, or with `:rw` after them to change: `/srv/data`,
    /// `/srv/out:rw`. A relative path starts at the folder of `nebula.toml`.
    pub(super) paths: Vec<String>,
    /// Ports that later versions may be granted to connect to with TCP.
    pub(super) ports: Vec<u16>,
}

/// How `nebula serve --watch` watches files.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(super) struct Watch {
    /// Files that no build depends on, as patterns of `.gitignore`. A pattern that begins with `!` watches files that
    /// are ignored otherwise.
    pub(super) ignore: Vec<FilePattern>,
    /// Look at the files this often. By default, the system tells Nebula of changes, and Nebula looks each second only
    /// where the system cannot.
    pub(super) poll: Option<Timeout>,
}

impl Function {
    pub(super) fn limits(&self) -> LimitSettings {
        let Self { memory, timeout, max_request, max_response, concurrency, rate, .. } = *self;
        Limits { memory, timeout, max_request, max_response, concurrency, rate }.settings()
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
        settings.rate = self.rate.map(|rate| rate.0);
        settings
    }
}
