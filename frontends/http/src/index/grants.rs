//! What the list of functions shows of a function's grants.

use std::{collections::BTreeMap, fmt};

use nebula_runtime::{Destination, DirGrant, FunctionConfig, HostPattern, ServiceGrant};
use serde::Serialize;

/// The grants of a function as everybody may see them: names and limits, as the function itself knows them. Values, the
/// folders of the host and the prefixes of keys are not among them.
///
/// - As JSON, its keys are those of `nebula.toml`, without those that grant nothing.
#[derive(Serialize)]
pub(super) struct Grants<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    keyvalue: BTreeMap<&'a str, ServiceGrant>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    blobs: BTreeMap<&'a str, ServiceGrant>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dirs: Vec<Folder<'a>>,
    /// Names of environment variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<&'a str>,
    /// Names of settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    config: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allow_hosts: &'a [HostPattern],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    connect: &'a [Destination],
}

/// A folder, where the function sees it.
#[derive(Serialize)]
struct Folder<'a> {
    guest: &'a str,
    writable: bool,
}

impl<'a> Grants<'a> {
    pub(super) fn of(config: &'a FunctionConfig) -> Self {
        let folder = |DirGrant { guest, writable, .. }: &'a DirGrant| Folder { guest, writable: *writable };
        Self {
            keyvalue: services(&config.keyvalue),
            blobs: services(&config.blobs),
            dirs: config.dirs.iter().map(folder).collect(),
            env: config.env.keys().map(String::as_str).collect(),
            config: config.config.keys().map(String::as_str).collect(),
            allow_hosts: &config.allow_hosts,
            connect: &config.connect,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    /// A label and its lines, for each kind of grant that there is.
    pub(super) fn rows(&self) -> Vec<(&'static str, Vec<String>)> {
        let rows = [
            ("key-value stores", named(&self.keyvalue)),
            ("containers of blobs", named(&self.blobs)),
            ("folders", texts(&self.dirs)),
            ("variables", line(&self.env)),
            ("settings", line(&self.config)),
            ("requests to", line(self.allow_hosts)),
            ("connections to", line(self.connect)),
        ];
        rows.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
    }
}

fn services(grants: &BTreeMap<String, ServiceGrant>) -> BTreeMap<&str, ServiceGrant> {
    let without_prefix = |grant: &ServiceGrant| {
        let mut grant = grant.clone();
        grant.prefix.clear();
        grant
    };
    grants.iter().map(|(name, grant)| (name.as_str(), without_prefix(grant))).collect()
}

fn named(grants: &BTreeMap<&str, ServiceGrant>) -> Vec<String> {
    grants.iter().map(|(name, grant)| format!("{name}: service {grant}")).collect()
}

fn texts<T: fmt::Display>(items: &[T]) -> Vec<String> {
    items.iter().map(T::to_string).collect()
}

/// All items on one line, if there are any.
fn line<T: fmt::Display>(items: &[T]) -> Vec<String> {
    if items.is_empty() { Vec::new() } else { vec![texts(items).join(", ")] }
}

impl fmt::Display for Folder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.guest, if self.writable { "read and write" } else { "read" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A configuration with every grant, and a secret wherever something is not shown.
    fn config() -> FunctionConfig {
        serde_json::from_value(json!({
            "limits": {},
            "keyvalue": {"cart": {"service": "state", "prefix": "secret/", "max_value": "1 KiB", "max_keys": 9}, "log": "logs"},
            "blobs": {"pictures": {"service": "pictures", "readonly": true, "max_size": "2 MiB"}},
            "dirs": [{"host": "/secret", "guest": "/data", "writable": true}, {"host": "/secret", "guest": "/etc"}],
            "env": {"TOKEN": "secret", "KEY": {"env": "SECRET"}},
            "config": {"greeting": "secret", "cert": {"file": "/run/secret"}},
            "allow_hosts": ["api.example.com:443"],
            "connect": ["db.internal:5432"],
        }))
        .unwrap()
    }

    #[test]
    fn names_and_limits_are_shown_and_values_are_not() {
        let config = config();
        let shown = json!(Grants::of(&config));
        let expected = json!({
            "keyvalue": {"cart": {"service": "state", "max_value": "1.0 KiB", "max_keys": 9}, "log": "logs"},
            "blobs": {"pictures": {"service": "pictures", "readonly": true, "max_size": "2.0 MiB"}},
            "dirs": [{"guest": "/data", "writable": true}, {"guest": "/etc", "writable": false}],
            "env": ["KEY", "TOKEN"],
            "config": ["cert", "greeting"],
            "allow_hosts": ["api.example.com:443"],
            "connect": ["db.internal:5432"],
        });
        assert_eq!(shown, expected);
        let rows = [
            (
                "key-value stores",
                vec![
                    "cart: service state, read and write, values up to 1.0 KiB, up to 9 keys",
                    "log: service logs, read and write",
                ],
            ),
            ("containers of blobs", vec!["pictures: service pictures, read, up to 2.0 MiB together"]),
            ("folders", vec!["/data, read and write", "/etc, read"]),
            ("variables", vec!["KEY, TOKEN"]),
            ("settings", vec!["cert, greeting"]),
            ("requests to", vec!["api.example.com:443"]),
            ("connections to", vec!["db.internal:5432"]),
        ];
        let owned = rows.map(|(label, grants)| (label, grants.into_iter().map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(Grants::of(&config).rows(), owned);
    }

    #[test]
    fn a_function_without_grants_has_nothing_to_show() {
        assert!(Grants::of(&FunctionConfig::default()).is_empty());
    }
}
