//! How two versions differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lookup::Registry;
use crate::function::{
    ConfigValue, Digest, Export, FunctionConfig, FunctionInfo, FunctionName, FunctionRef, Kind, RegistryError,
    RegistryErrorKind, SnapshotImage,
};

/// How two versions differ. What both have in common is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// The first version.
    pub from: Version,
    /// The second version.
    pub to: Version,
    /// What the function may use of the world outside: the grants in words.
    pub grants: Parts,
    /// The settings that differ, besides the grants.
    pub config: Vec<Setting>,
    /// The exports that can be called: their signatures.
    pub exports: Parts,
}

/// One of two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Version {
    /// The function's name.
    pub name: FunctionName,
    /// The version's number.
    pub version: u64,
    /// The module's digest.
    pub digest: Digest,
    /// The module's size, in bytes.
    pub size: u64,
    /// Its kind, which decides how it is called.
    pub kind: Kind,
    /// The image that its invocations start from, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotImage>,
}

/// What only one of two versions has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Parts {
    /// What the second version has and the first one has not.
    pub added: Vec<String>,
    /// What the first version has and the second one has not.
    pub removed: Vec<String>,
}

/// A setting that differs. The values of variables and of `config` are left out, as they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Setting {
    /// Its key: `limits.timeout`, or `env.NAME` and `config.NAME` for a value that differs.
    pub key: String,
    /// Its value in the first version, if it is set there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Its value in the second version, if it is set there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl Registry {
    /// How the version `to` differs from the version `from`.
    pub(crate) async fn diff(&self, from: &FunctionRef, to: &FunctionRef) -> Result<Difference, RegistryError> {
        Difference::between(&self.stored(from).await?, &self.stored(to).await?)
    }
}

impl Difference {
    /// How the version `to` differs from the version `from`. They may be of two functions.
    ///
    /// # Errors
    /// [`RegistryErrorKind::Internal`] if a configuration cannot be written as JSON.
    pub fn between(from: &FunctionInfo, to: &FunctionInfo) -> Result<Self, RegistryError> {
        let not_compared = |error| {
            RegistryError::new(RegistryErrorKind::Internal, "the versions cannot be compared").with_source(error)
        };
        Ok(Self {
            from: Version::of(from),
            to: Version::of(to),
            grants: Parts::between(&from.config.grants(), &to.config.grants()),
            config: settings(&from.config, &to.config).map_err(not_compared)?,
            exports: Parts::between(&signatures(from), &signatures(to)),
        })
    }
}

impl Version {
    fn of(info: &FunctionInfo) -> Self {
        let FunctionInfo { name, version, digest, size, kind, snapshot, .. } = info;
        let (version, digest, size, kind, snapshot) = (*version, *digest, *size, *kind, *snapshot);
        Self { name: name.clone(), version, digest, size, kind, snapshot }
    }
}

impl Parts {
    fn between<T: PartialEq + Display>(from: &[T], to: &[T]) -> Self {
        let only = |these: &[T], others: &[T]| {
            these.iter().filter(|part| !others.contains(part)).map(ToString::to_string).collect()
        };
        Self { added: only(to, from), removed: only(from, to) }
    }

    /// Whether both versions have the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// What can be called, as people write it: of a typed function all of its types.
fn signatures(info: &FunctionInfo) -> Vec<String> {
    let signature = |export: &Export| match &export.typed {
        Some(typed) if typed.refused.is_none() => typed.wit.clone(),
        _ => export.to_string(),
    };
    info.exports.iter().map(signature).collect()
}

fn settings(from: &FunctionConfig, to: &FunctionConfig) -> Result<Vec<Setting>, serde_json::Error> {
    let (before, after) = (flat(from)?, flat(to)?);
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differs = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    let mut settings: Vec<_> = differs
        .map(|key| Setting { key: key.clone(), from: before.get(key).cloned(), to: after.get(key).cloned() })
        .collect();
    settings.extend(other_values("env", &from.env, &to.env));
    settings.extend(other_values("config", &from.config, &to.config));
    Ok(settings)
}

/// The values that both versions have and that differ, without what they are.
fn other_values<'a>(
    key: &'a str,
    from: &'a BTreeMap<String, ConfigValue>,
    to: &'a BTreeMap<String, ConfigValue>,
) -> impl Iterator<Item = Setting> + 'a {
    let differs = from.iter().filter(|(name, value)| to.get(*name).is_some_and(|other| other != *value));
    differs.map(move |(name, _)| Setting { key: format!("{key}.{name}"), from: None, to: None })
}

/// The settings that are no grants, each limit for itself.
fn flat(config: &FunctionConfig) -> Result<BTreeMap<String, Value>, serde_json::Error> {
    const GRANTS: [&str; 7] = ["dirs", "env", "allow_hosts", "connect", "config", "keyvalue", "blobs"];

    let Value::Object(written) = serde_json::to_value(config)? else { return Ok(BTreeMap::new()) };
    let mut flat = BTreeMap::new();
    for (key, value) in written.into_iter().filter(|(key, _)| !GRANTS.contains(&key.as_str())) {
        match value {
            Value::Object(limits) if key == "limits" => {
                flat.extend(limits.into_iter().map(|(limit, value)| (format!("limits.{limit}"), value)));
            }
            value => drop(flat.insert(key, value)),
        }
    }
    Ok(flat)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(config: &Value, exports: &[&str]) -> FunctionInfo {
        let exports: Vec<_> =
            exports.iter().map(|name| json!({ "name": name, "params": ["i32"], "results": ["i32"] })).collect();
        let digest = Digest::of(b"module");
        serde_json::from_value(json!({
            "name": "f", "version": 1, "aliases": [], "digest": digest, "size": 1, "kind": "core", "exports": exports,
            "config": config,
        }))
        .unwrap()
    }

    #[test]
    fn grants_settings_and_exports_are_told_apart_and_no_value_of_a_variable_is_told() {
        let from = json!({ "limits": { "timeout": "2s" }, "env": { "OLD": "1", "KEPT": "a secret" },
            "dirs": [{ "host": "/srv", "guest": "/data" }] });
        let to = json!({ "limits": { "timeout": "5s", "memory": 65_536 }, "env": { "KEPT": "another secret", "NEW": "1" },
            "dirs": [{ "host": "/srv", "guest": "/data", "writable": true }], "args": ["--json"],
            "allow_hosts": ["api.example.com"] });
        let difference = Difference::between(&version(&from, &["a", "b"]), &version(&to, &["b", "c"])).unwrap();
        assert_eq!(
            difference.grants.added,
            ["folder /srv as /data, read and write", "variable NEW", "requests to api.example.com"]
        );
        assert_eq!(difference.grants.removed, ["folder /srv as /data, read", "variable OLD"]);
        assert_eq!(
            (difference.exports.added, difference.exports.removed),
            (vec!["c(i32) -> i32".into()], vec!["a(i32) -> i32".into()])
        );
        let config = serde_json::to_value(&difference.config).unwrap();
        let expected = json!([
            { "key": "args", "to": ["--json"] },
            { "key": "limits.memory", "to": 65_536 },
            { "key": "limits.timeout", "from": "2s", "to": "5s" },
            { "key": "env.KEPT" },
        ]);
        assert_eq!(config, expected);
    }

    #[test]
    fn versions_that_are_alike_do_not_differ() {
        let config = json!({ "limits": {}, "env": { "A": "1" } });
        let difference = Difference::between(&version(&config, &["a"]), &version(&config, &["a"])).unwrap();
        assert!(difference.grants.is_empty() && difference.exports.is_empty() && difference.config.is_empty());
    }
}
