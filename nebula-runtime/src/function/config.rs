//! The configuration of a function.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    config_value::ConfigValue, cors::Cors, destination::Destination, hosts::HostPattern, limits::LimitSettings,
    reference::FunctionRef, service::ServiceGrant, snapshot::Snapshot,
};

/// The configuration of a function. It is published with the code: another configuration makes another version.
///
/// Nothing is granted by default: no files, no network, no environment. Begin with the default, and set what differs:
///
/// ```
/// # use nebula_runtime::{DirGrant, FunctionConfig};
/// let mut config = FunctionConfig::default();
/// config.args = vec!["--json".to_owned()];
/// config.dirs = vec![DirGrant::new("/srv/data", "/data")];
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FunctionConfig {
    /// The export to call where the caller names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
    /// What one invocation may use, where that differs from the server's defaults.
    pub limits: LimitSettings,
    /// A command's arguments after its own name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment variables of a guest with WASI.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, ConfigValue>,
    /// Folders of the host that a guest with WASI sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dirs: Vec<DirGrant>,
    /// Hosts that a guest with WASI may send HTTP requests to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow_hosts: Vec<HostPattern>,
    /// Hosts and ports that a component may connect to, or exchange datagrams with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect: Vec<Destination>,
    /// The settings that a component reads through `wasi:config`. A module with WASI has them as environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, ConfigValue>,
    /// The key-value stores that a component may use, by its own names for them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keyvalue: BTreeMap<String, ServiceGrant>,
    /// The containers of blobs that a component may use, by its own names for them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub blobs: BTreeMap<String, ServiceGrant>,
    /// Interfaces that a component imports, and the functions whose exports take their place: `nebula:tax/rates` and
    /// `tax@prod`. They are linked when the component is published.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub imports: BTreeMap<String, FunctionRef>,
    /// Keeps the results of a core module that imports nothing, so that they are computed once. If not set, each call
    /// computes its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Caching>,
    /// Initialises a command once, when it is published. Its invocations start from the image of that. If it is off, each
    /// initialises its own instance.
    #[serde(skip_serializing_if = "Snapshot::is_off")]
    pub snapshot: Snapshot,
    /// Lets an instance of an HTTP handler of WASI 0.3 serve more than one request. If not set, each has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse: Option<Reuse>,
    /// The media type of a command's output. Its output is then streamed from its first byte. Without it, the output
    /// itself decides the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How an event that is a batch of records reaches the function: on AWS Lambda, those of SQS, Kinesis and DynamoDB
    /// streams. If not set, it is one event like any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// Whether an event of the media type `application/cloudevents+json` gives its data, and not the whole of it, to a
    /// guest that is not an HTTP handler.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cloudevents: bool,
    /// Which pages of other origins may call the function from a browser. If not set, the server decides. An HTTP handler
    /// decides itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// What calls the function on Azure Functions. If not set, HTTP requests do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureConfig>,
}

/// What calls a function on Azure Functions, and where its result goes there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AzureConfig {
    /// The bindings of the function's `function.json`, in Azure's own words.
    pub bindings: Vec<BTreeMap<String, Value>>,
}

impl AzureConfig {
    /// These bindings.
    pub fn new(bindings: Vec<BTreeMap<String, Value>>) -> Self {
        Self { bindings }
    }
}

/// Which results of a function are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caching {
    /// Those of a pure function: a core module that imports nothing. Its result depends on its arguments and on the memory
    /// that it may have, and on nothing else. It runs with canonical NaNs and deterministic relaxed SIMD.
    Pure,
}

/// How an event that is a batch of records reaches a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// Each record is an event of its own, and fails alone. The order of records is kept where their source has one.
    Item,
}

/// How an instance is used again. Its requests share its memory, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredReuse")]
#[non_exhaustive]
pub struct Reuse {
    /// After how many requests an instance is replaced.
    pub max_requests: NonZeroU32,
    /// How long an instance waits for its next request. At most a year.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
}

impl Default for Reuse {
    fn default() -> Self {
        const REQUESTS: NonZeroU32 = NonZeroU32::new(128).unwrap();
        Self { max_requests: REQUESTS, idle: Duration::from_secs(1) }
    }
}

/// [`Reuse`] as versions have it that are published.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StoredReuse {
    max_requests: NonZeroU32,
    /// An earlier Nebula let an instance serve several requests at once.
    max_concurrent: NonZeroU32,
    #[serde(with = "humantime_serde")]
    idle: Duration,
}

impl Default for StoredReuse {
    fn default() -> Self {
        let Reuse { max_requests, idle } = Reuse::default();
        Self { max_requests, max_concurrent: NonZeroU32::MIN, idle }
    }
}

impl From<StoredReuse> for Reuse {
    fn from(StoredReuse { max_requests, max_concurrent, idle }: StoredReuse) -> Self {
        if max_concurrent > NonZeroU32::MIN {
            tracing::warn!(%max_concurrent, "an instance serves one request at a time: max_concurrent is read as 1");
        }
        Self { max_requests, idle }
    }
}

/// A folder of the host that a guest sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DirGrant {
    /// The folder on the host. An absolute path once it is published.
    #[serde(with = "host_path")]
    pub host: PathBuf,
    /// Where the guest sees it: `/data`.
    pub guest: String,
    /// Whether the guest may change what is in it.
    #[serde(default)]
    pub writable: bool,
}

impl DirGrant {
    /// Shows the folder `host` to a guest as `guest`. The guest may read it.
    pub fn new(host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        Self { host: host.into(), guest: guest.into(), writable: false }
    }

    /// The same folder, which the guest may change.
    #[must_use]
    pub fn writable(self) -> Self {
        Self { writable: true, ..self }
    }
}

/// A path as a text, or as its octets where it is not UTF-8.
mod host_path {
    use std::{
        ffi::OsString,
        os::unix::ffi::{OsStrExt as _, OsStringExt as _},
        path::{Path, PathBuf},
    };

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Written<T, O> {
        Text(T),
        Octets(O),
    }

    pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        let written = path.to_str().map_or_else(|| Written::Octets(path.as_os_str().as_bytes()), Written::Text);
        written.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(match Written::<String, Vec<u8>>::deserialize(deserializer)? {
            Written::Text(text) => text.into(),
            Written::Octets(octets) => OsString::from_vec(octets).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    use super::*;

    #[test]
    fn a_granted_folder_is_kept_whatever_its_path_is() {
        let cases = [(&b"/srv/data"[..], r#""/srv/data""#), (b"/od\xff", "[47,111,100,255]")];
        for (path, written) in cases {
            let grant = DirGrant::new(OsStr::from_bytes(path), "/data");
            let json = serde_json::to_string(&grant).unwrap();
            assert_eq!(json, format!(r#"{{"host":{written},"guest":"/data","writable":false}}"#));
            assert_eq!(serde_json::from_str::<DirGrant>(&json).unwrap(), grant);
        }
    }

    #[test]
    fn a_version_whose_instances_served_several_at_once_is_read() {
        let stored: Reuse = serde_json::from_str(r#"{"max_requests":3,"max_concurrent":16,"idle":"2s"}"#).unwrap();
        assert_eq!(stored, Reuse { max_requests: NonZeroU32::new(3).unwrap(), idle: Duration::from_secs(2) });
        assert_eq!(serde_json::to_string(&stored).unwrap(), r#"{"max_requests":3,"idle":"2s"}"#);
    }
}
