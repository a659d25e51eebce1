//! What a server uses, as its options and its configuration say.

use std::{
    env, fs,
    path::{self, Path, PathBuf},
};

use nebula_http::ListenAddress;
use nebula_runtime::{ConfigValue, Node, Reach, ServicesConfig, StoreUrl};
use url::Url;

use super::state::Sandbox;
use crate::{
    config::{Config, SandboxPath},
    source::Source,
};

/// Files of the system that a server reads while it runs: for names of hosts, certificates, time zones, and what the
/// process may use of the machine.
const OF_SYSTEM: [&str; 21] = [
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/proc/self",
    "/proc/stat",
    "/sys/fs/cgroup",
];

/// Environment variables with files of credentials and certificates. They are renewed while a server runs.
const FILES: [&str; 6] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "AZURE_FEDERATED_TOKEN_FILE",
    "SSL_CERT_FILE",
];

/// Everything that says what a server uses.
pub(crate) struct Policy<'a> {
    pub(crate) store: &'a StoreUrl,
    pub(crate) cache: Option<PathBuf>,
    pub(crate) config: &'a Config,
    pub(crate) services: (&'a Node, &'a ServicesConfig),
    /// The file of the tokens, where the server has an admin API.
    pub(crate) tokens: Option<PathBuf>,
    pub(crate) listen: Vec<&'a ListenAddress>,
}

impl Policy<'_> {
    /// The sandbox for the server. Makes the folders that the server would make.
    pub(crate) fn sandbox(self) -> Sandbox {
        let mut reach = Reach::default();
        OF_SYSTEM.iter().for_each(|path| reach.add_read(Path::new(path)));
        for device in ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"] {
            reach.add_write(Path::new(device));
        }
        // For the names of functions in the log of a panic.
        env::current_exe().iter().for_each(|program| reach.add_read(program));
        self.add_store(&mut reach);
        self.add_services(&mut reach);
        self.add_files(&mut reach);
        add_environment(&mut reach);
        for function in &self.config.functions {
            reach.add_grants(&function.config);
            match &function.source {
                Source::File(path) => reach.add_read(path),
                Source::Registry(artifact) => reach.add_port(artifact.port()),
            }
        }
        for SandboxPath { path, writable } in &self.config.sandbox.paths {
            if *writable { reach.add_write(path) } else { reach.add_read(path) }
        }
        self.config.sandbox.ports.iter().for_each(|port| reach.add_port(*port));
        // The file of a Unix socket is made and removed.
        let sockets = self.listen.iter().filter_map(|address| path::absolute(address.socket()?).ok());
        sockets.for_each(|socket| socket.parent().into_iter().for_each(|folder| reach.add_write(folder)));
        Sandbox { reach, listen: self.listen.iter().filter_map(|address| address.port()).collect() }
    }

    fn add_store(&self, reach: &mut Reach) {
        let folders = [self.store.local_folder().map(Path::to_owned), self.store.services_folder(), self.cache.clone()];
        folders.iter().flatten().for_each(|folder| add_own_folder(reach, folder));
        if self.store.local_folder().is_none() {
            add_clouds(reach);
        }
    }

    fn add_services(&self, reach: &mut Reach) {
        let (node, services) = self.services;
        let values = services.0.values().flat_map(|service| [&service.keyvalue, &service.blobs]).flatten();
        for value in values.clone() {
            if let ConfigValue::File(path) = value {
                reach.add_read(&node.folder.join(path));
            }
        }
        // A value that is not there is an error when the services are opened.
        for url in values.filter_map(|value| node.text(value).ok()) {
            match url.split_once(':') {
                Some(("redb", path)) => {
                    let file = node.folder.join(path);
                    file.parent().iter().for_each(|folder| add_own_folder(reach, folder));
                }
                Some(("folder", path)) => add_own_folder(reach, &node.folder.join(path)),
                Some(("s3" | "gs" | "az", _)) => add_clouds(reach),
                _ => add_port_of(reach, &url),
            }
        }
    }

    /// The files that the server reads again when they change. They are replaced, so their folders are added.
    fn add_files(&self, reach: &mut Reach) {
        let tls = self.config.tls.iter().chain(&self.config.admin.tls);
        let tls = tls.flat_map(|tls| [tls.cert.clone(), tls.key.clone()]);
        tls.chain(self.tokens.clone()).for_each(|file| add_folders_of(reach, &file));
    }
}

/// A folder that the server makes if it does not exist.
fn add_own_folder(reach: &mut Reach, folder: &Path) {
    // If it cannot be made, opening it is an error with a message.
    drop(fs::create_dir_all(folder));
    reach.add_write(folder);
}

/// The folder of a file, and that of the file to which it may be a link.
fn add_folders_of(reach: &mut Reach, file: &Path) {
    let (file, linked) = (path::absolute(file).ok(), fs::canonicalize(file).ok());
    let folders = [file.as_deref(), linked.as_deref()].into_iter().flatten().filter_map(Path::parent);
    folders.for_each(|folder| reach.add_read(folder));
}

/// The ports of object stores, and of the services that give their credentials.
fn add_clouds(reach: &mut Reach) {
    [80, 443].iter().for_each(|port| reach.add_port(*port));
}

/// What environment variables name: files of credentials, and the addresses of services, collectors and proxies.
fn add_environment(reach: &mut Reach) {
    // Answers of DNS that are too long for a datagram.
    reach.add_port(53);
    FILES.iter().filter_map(env::var_os).for_each(|file| add_folders_of(reach, Path::new(&file)));
    env::var_os("SSL_CERT_DIR").iter().for_each(|folder| reach.add_read(Path::new(folder)));
    let is_address = |name: &str| ["ENDPOINT", "PROXY", "_URL", "_URI", "_HOST"].iter().any(|part| name.contains(part));
    for (name, value) in env::vars_os() {
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
            && is_address(&name.to_ascii_uppercase())
        {
            add_port_of(reach, value);
        }
    }
}

fn add_port_of(reach: &mut Reach, url: &str) {
    let Ok(url) = Url::parse(url) else { return };
    let usual = match url.scheme() {
        "redis" | "rediss" => Some(6379),
        "nats" | "tls" => Some(4222),
        _ => url.port_or_known_default(),
    };
    url.port().or(usual).iter().for_each(|port| reach.add_port(*port));
}
