//! What a configuration grants.

use std::fmt;

use super::{
    config::{DirGrant, FunctionConfig},
    destination::Destination,
    hosts::HostPattern,
    service::ServiceGrant,
};

/// One thing outside of itself that a function may use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// A folder of the host.
    Folder(DirGrant),
    /// An environment variable of this name. Its value may be a secret.
    Variable(String),
    /// A setting of this name. Its value may be a secret.
    Setting(String),
    /// Requests to these hosts.
    Requests(HostPattern),
    /// Connections to this host and port.
    Connections(Destination),
    /// A key-value store, by the guest's name for it.
    KeyValue(String, ServiceGrant),
    /// A container of blobs, by the guest's name for it.
    Blobs(String, ServiceGrant),
}

impl FunctionConfig {
    /// All that it grants: folders, variables, settings, hosts, connections, and then services.
    pub fn grants(&self) -> Vec<Grant> {
        let folders = self.dirs.iter().cloned().map(Grant::Folder);
        let variables = self.env.keys().cloned().map(Grant::Variable);
        let hosts = self.allow_hosts.iter().cloned().map(Grant::Requests);
        let settings = self.config.keys().cloned().map(Grant::Setting);
        let connections = self.connect.iter().cloned().map(Grant::Connections);
        let stores = self.keyvalue.iter().map(|(name, grant)| Grant::KeyValue(name.clone(), grant.clone()));
        let containers = self.blobs.iter().map(|(name, grant)| Grant::Blobs(name.clone(), grant.clone()));
        folders
            .chain(variables)
            .chain(settings)
            .chain(hosts)
            .chain(connections)
            .chain(stores)
            .chain(containers)
            .collect()
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(dir) => {
                let access = if dir.writable { "read and write" } else { "read" };
                write!(f, "folder {} as {}, {access}", dir.host.display(), dir.guest)
            }
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Setting(name) => write!(f, "setting {name}"),
            Self::Requests(host) => write!(f, "requests to {host}"),
            Self::Connections(destination) => write!(f, "connections to {destination}"),
            Self::KeyValue(name, grant) => write!(f, "key-value store {name}: service {grant}"),
            Self::Blobs(name, grant) => write!(f, "blob container {name}: service {grant}"),
        }
    }
}
