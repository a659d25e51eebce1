//! What a server uses, as its options and its configuration say.

use std::{
    env, fs, iter,
    os::unix::ffi::OsStrExt as _,
    path::{self, Path, PathBuf},
};

use nebula_http::ListenAddress;
use nebula_runtime::{Node, Reach, ServicePlace, ServicesConfig, StoreUrl};
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

/// Environment variables with addresses: of object stores, of the services that give credentials for them, and of
/// proxies.
const ADDRESSES: [&str; 14] = [
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_MSI_ENDPOINT",
    "IDENTITY_ENDPOINT",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
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
        // systemd may be told of the state of the server through such a socket.
        let abstract_sockets = env::var_os("NOTIFY_SOCKET").is_some_and(|path| path.as_bytes().starts_with(b"@"));
        Sandbox { reach, abstract_sockets, listen: self.listen.iter().filter_map(|address| address.port()).collect() }
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
        services.files(node).iter().for_each(|file| reach.add_read(file));
        for place in services.places(node) {
            match place {
                ServicePlace::Folder(folder) => add_own_folder(reach, &folder),
                ServicePlace::Port(port) => reach.add_port(port),
                ServicePlace::Cloud => add_clouds(reach),
                _ => {}
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
    for (name, value) in env::vars_os() {
        if let (Some(name), Some(value)) = (name.to_str(), value.to_str())
            && has_address(&name.to_ascii_uppercase())
        {
            ports(value).for_each(|port| reach.add_port(port));
        }
    }
}

/// Whether a variable has the address of a service that this process itself connects to.
fn has_address(name: &str) -> bool {
    ADDRESSES.contains(&name) || (name.starts_with("OTEL_EXPORTER_OTLP") && name.ends_with("ENDPOINT"))
}

/// The port in a URL, or the ports in a list of names and URLs (`BlobEndpoint=http://…;`).
fn ports(text: &str) -> impl Iterator<Item = u16> {
    let values = text.split(';').filter_map(|part| part.split_once('=')).map(|(_, value)| value);
    iter::once(text).chain(values).filter_map(|url| Url::parse(url).ok()?.port_or_known_default())
}
