//! The settings of a server, after they are checked.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use nebula_runtime::ByteSize;

use super::schema;

/// What the sandbox of a server is open for, besides what the configuration names otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SandboxSettings {
    /// Folders and files.
    pub(crate) paths: Vec<SandboxPath>,
    /// Ports to connect to.
    pub(crate) ports: Vec<u16>,
}

/// A folder or a file, as seen from the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SandboxPath {
    pub(crate) path: PathBuf,
    pub(crate) writable: bool,
}

/// The settings of the admin API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AdminSettings {
    /// The files of its certificate.
    pub(crate) tls: Option<TlsFiles>,
    /// The largest upload.
    pub(crate) max_upload: Option<ByteSize>,
}

/// The files of a certificate, as seen from the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate.
    pub(crate) cert: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// The settings of `serve --watch`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct WatchSettings {
    /// Patterns of the files that no build depends on, as in `.gitignore`.
    pub(crate) ignore: Vec<String>,
    /// How often files are checked without a notification.
    pub(crate) poll: Option<Duration>,
}

impl SandboxSettings {
    pub(super) fn of(base: &Path, written: schema::Sandbox) -> Self {
        let path = |written: String| {
            let (path, writable) = written.strip_suffix(":rw").map_or((written.as_str(), false), |path| (path, true));
            SandboxPath { path: base.join(path), writable }
        };
        Self { paths: written.paths.into_iter().map(path).collect(), ports: written.ports }
    }
}

impl AdminSettings {
    pub(super) fn of(base: &Path, written: schema::Admin) -> Self {
        let tls = written.tls.map(|tls| TlsFiles::of(base, tls));
        Self { tls, max_upload: written.max_upload.map(|size| size.0) }
    }
}

impl TlsFiles {
    pub(super) fn of(base: &Path, written: schema::Tls) -> Self {
        Self { cert: base.join(written.cert), key: base.join(written.key) }
    }
}
