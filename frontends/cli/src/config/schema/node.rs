//! The settings of a node, as they are written.

use std::{collections::BTreeMap, num::NonZeroU64, path::PathBuf};

use nebula_http::InvalidNetwork;
use nebula_runtime::{Cors, FunctionName};
use serde::Deserialize;

#[cfg(test)]
use super::function::{WrittenCors, WrittenValue};
use crate::values::{Count, FilePattern, Rate, Size, Timeout};

/// Settings of the server.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Server {
    /// The number of invocations of all functions that may run at the same time.
    pub(in crate::config) concurrency: Option<Count>,
    /// How often one client may send requests to the functions. Clients are told apart by their address, and in IPv6 by
    /// the first 64 bits of it.
    pub(in crate::config) client_rate: Option<Rate>,
    /// Which pages of other origins may call functions that have no `cors` themselves.
    #[cfg_attr(test, schemars(with = "Option<WrittenCors>"))]
    pub(in crate::config) cors: Option<Cors>,
    /// Whether answers are compressed with gzip for clients that accept it.
    pub(in crate::config) compress: Option<bool>,
    /// The addresses and networks of proxies whose `X-Forwarded-` header fields the server believes, such as
    /// `10.0.0.0/8`. `unix` stands for the processes that connect through a Unix socket.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub(in crate::config) trusted_proxies: Vec<Network>,
    /// Whether the connections of `trusted_proxies` begin with a header of the PROXY protocol, version 1 or 2.
    pub(in crate::config) proxy_protocol: bool,
    /// The memory that the results of all functions with `cache = "pure"` may take together. In a container with a memory
    /// limit, the default is at most 5 % of it.
    pub(in crate::config) result_cache: Option<Size>,
    /// The certificate of the server. With it, the server speaks HTTPS on the address of `--listen`.
    pub(in crate::config) tls: Option<Tls>,
}

/// The admin API of `nebula serve --admin`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Admin {
    /// The certificate of the admin API. An address that other machines reach needs one.
    pub(in crate::config) tls: Option<Tls>,
    /// The largest upload: a module with its configuration.
    pub(in crate::config) max_upload: Option<Size>,
}

/// A certificate and its private key. The files are read again when they change.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Tls {
    /// The file of the certificate, and of those between it and the root, in PEM.
    pub(in crate::config) cert: PathBuf,
    /// The file of the private key, in PEM.
    pub(in crate::config) key: PathBuf,
}

/// One of `trusted_proxies`.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::config) struct Network(pub(in crate::config) nebula_http::Network);

impl TryFrom<String> for Network {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, InvalidNetwork> {
        text.parse().map(Self)
    }
}

/// What stands behind the name of a service.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "it is described, and never made")]
pub(in crate::config) struct WrittenService {
    /// A key-value store: `memory:`, `redb:PATH`, `redis://HOST:PORT/DATABASE`, `nats://HOST:PORT/BUCKET` or `s3://BUCKET/PREFIX`.
    keyvalue: Option<WrittenValue>,
    /// A container of blobs: `memory:`, `folder:PATH`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or
    /// `az://CONTAINER/PREFIX`. A relative path starts at the folder of `nebula.toml`.
    blobs: Option<WrittenValue>,
}

/// Which versions may run. Who writes to the store can otherwise make every server run anything.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Trust {
    /// The files with the public keys that versions are signed by, as `nebula keygen` writes them. A relative path starts at
    /// the folder of `nebula.toml`.
    pub(in crate::config) keys: Vec<PathBuf>,
    /// Whether a version runs only if one of the keys has signed it.
    pub(in crate::config) require: bool,
    /// The lowest version of a function that may run, by the function's name. The signature of the version says its number.
    #[cfg_attr(test, schemars(with = "BTreeMap<String, u64>"))]
    pub(in crate::config) lowest: BTreeMap<FunctionName, NonZeroU64>,
}

/// What the sandbox of `nebula serve` is open for, besides the store, the services, and what the functions of this file are
/// granted. A version that is granted more is refused on this node.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Sandbox {
    /// Folders and files that later versions may be granted to read, or with `:rw` after them to change: `/srv/data`,
    /// `/srv/out:rw`. A relative path starts at the folder of `nebula.toml`.
    pub(in crate::config) paths: Vec<String>,
    /// Ports that later versions may be granted to connect to with TCP.
    pub(in crate::config) ports: Vec<u16>,
}

/// How `nebula serve --watch` watches files.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Watch {
    /// Files that no build depends on, as patterns of `.gitignore`. A pattern that begins with `!` watches files that
    /// are ignored otherwise.
    pub(in crate::config) ignore: Vec<FilePattern>,
    /// Look at the files this often. By default, the system tells Nebula of changes, and Nebula looks each second only
    /// where the system cannot.
    pub(in crate::config) poll: Option<Timeout>,
}
