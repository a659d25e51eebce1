//! What a configuration grants.

use std::fmt;

use super::{
    config::{DirGrant, FunctionConfig},
    hosts::HostPattern,
};

/// One thing outside of itself that a function may use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Grant {
    /// A folder of the host.
    Folder(DirGrant),
    /// An environment variable of this name. Its value may be a secret.
    Variable(String),
    /// Requests to these hosts.
    Requests(HostPattern),
}

impl FunctionConfig {
    /// All that it grants: folders, then variables, then hosts.
    pub fn grants(&self) -> Vec<Grant> {
        let folders = self.dirs.iter().cloned().map(Grant::Folder);
        let variables = self.env.keys().cloned().map(Grant::Variable);
        let hosts = self.allow_hosts.iter().cloned().map(Grant::Requests);
        folders.chain(variables).chain(hosts).collect()
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
            Self::Requests(host) => write!(f, "requests to {host}"),
        }
    }
}
