//! What a process in a sandbox can reach.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::function::{ConfigValue, FunctionConfig, Protocol};

/// The folders and the ports that a process in a sandbox can reach: a version of a function that is granted more cannot
/// run in the process.
///
/// - Everything in a folder can be reached too.
/// - Datagrams are not restricted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    read: BTreeSet<PathBuf>,
    write: BTreeSet<PathBuf>,
    ports: BTreeSet<u16>,
}

impl Reach {
    /// Adds a folder or a file that can be read.
    pub fn add_read(&mut self, path: &Path) {
        self.read.insert(real(path));
    }

    /// Adds a folder or a file that can be read and changed.
    pub fn add_write(&mut self, path: &Path) {
        self.write.insert(real(path));
    }

    /// Adds a port that can be connected to with TCP.
    pub fn add_port(&mut self, port: u16) {
        self.ports.insert(port);
    }

    /// What can be read, and not changed.
    pub fn read(&self) -> impl Iterator<Item = &Path> {
        self.read.iter().map(PathBuf::as_path)
    }

    /// What can be read and changed.
    pub fn write(&self) -> impl Iterator<Item = &Path> {
        self.write.iter().map(PathBuf::as_path)
    }

    /// The ports that can be connected to with TCP.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.ports.iter().copied()
    }

    /// Adds all that a function of this configuration is granted.
    pub fn add_grants(&mut self, config: &FunctionConfig) {
        for Folder { path, writable } in folders(config) {
            if writable { self.add_write(path) } else { self.add_read(path) }
        }
        self.ports.extend(ports(config));
    }

    /// What a function of this configuration is granted and cannot reach: the words for it, and the line in
    /// `nebula.toml` that would let it.
    pub(super) fn beyond(&self, config: &FunctionConfig) -> Option<String> {
        let folder = folders(config).find(|folder| !self.has(folder)).map(|Folder { path, writable }| {
            let (path, rights) = (path.display(), if writable { ":rw" } else { "" });
            format!("the function is granted {path}; add to [sandbox] of nebula.toml: paths = [\"{path}{rights}\"]")
        });
        folder.or_else(|| {
            let port = ports(config).find(|port| !self.ports.contains(port))?;
            Some(format!("the function is granted port {port}; add to [sandbox] of nebula.toml: ports = [{port}]"))
        })
    }

    fn has(&self, Folder { path, writable }: &Folder<'_>) -> bool {
        let path = real(path);
        let holds = |folder: &PathBuf| path.starts_with(folder);
        self.write.iter().any(holds) || (!writable && self.read.iter().any(holds))
    }
}

/// A folder or a file that a function is granted.
struct Folder<'a> {
    path: &'a Path,
    writable: bool,
}

fn folders(config: &FunctionConfig) -> impl Iterator<Item = Folder<'_>> {
    let dirs = config.dirs.iter().map(|dir| Folder { path: &dir.host, writable: dir.writable });
    let files = config.env.values().chain(config.config.values()).filter_map(|value| match value {
        ConfigValue::File(path) => Some(Folder { path, writable: false }),
        ConfigValue::Text(_) | ConfigValue::Env(_) => None,
    });
    dirs.chain(files)
}

fn ports(config: &FunctionConfig) -> impl Iterator<Item = u16> {
    /// The ports of requests to hosts without a port: those of HTTP and HTTPS.
    const HTTP: [u16; 2] = [80, 443];

    let requests = config.allow_hosts.iter().flat_map(|host| host.port().map_or(HTTP.to_vec(), |port| vec![port]));
    let connections = config.connect.iter().filter(|to| to.protocol() == Protocol::Tcp);
    requests.chain(connections.map(|to| to.port()))
}

/// The path without symbolic links, as the kernel compares it.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::DirGrant;

    fn config(dirs: Vec<DirGrant>, hosts: &[&str], connect: &[&str]) -> FunctionConfig {
        FunctionConfig {
            dirs,
            allow_hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            connect: connect.iter().map(|to| to.parse().unwrap()).collect(),
            ..FunctionConfig::default()
        }
    }

    #[test]
    fn a_function_that_is_granted_more_is_told_the_line_that_is_missing() {
        let mut reach = Reach::default();
        reach.add_read(Path::new("/srv/read"));
        reach.add_write(Path::new("/srv/write"));
        reach.add_grants(&config(vec![], &["api.test"], &["db.test:5432", "udp://10.0.0.2:53"]));
        assert_eq!(reach.ports().collect::<Vec<_>>(), [80, 443, 5432]);
        let dir = |host: &str| DirGrant::new(host, "/data");
        let cases = [
            (config(vec![dir("/srv/read/below"), dir("/srv/write").writable()], &["b.test"], &["x:5432"]), None),
            (config(vec![dir("/srv/readers")], &[], &[]), Some("paths = [\"/srv/readers\"]")),
            (config(vec![dir("/srv/read").writable()], &[], &[]), Some("paths = [\"/srv/read:rw\"]")),
            (config(vec![], &["api.test:8443"], &[]), Some("ports = [8443]")),
            (config(vec![], &[], &["db.test:6379"]), Some("ports = [6379]")),
            (config(vec![], &[], &["udp://10.0.0.2:99"]), None),
        ];
        for (config, expected) in cases {
            let beyond = reach.beyond(&config);
            assert_eq!(beyond.is_some(), expected.is_some(), "{beyond:?}");
            assert!(beyond.unwrap_or_default().ends_with(expected.unwrap_or_default()));
        }
    }
}
