//! `nebula.toml`: the functions to publish, and the server's limits.
//!
//! [`schema`] has the keys of the file. [`Config`] has the values after they are checked.

mod error;
#[cfg(test)]
mod reference;
mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod trust;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nebula_azure::Bindings;
use nebula_http::{Network, Route, TrustedProxies};
use nebula_runtime::{
    AzureConfig, ByteSize, ConfigValue, Cors, DirGrant, FunctionConfig, FunctionName, LimitSettings, Rate,
    ServicesConfig, Trust,
};

use crate::{build::Build, source::Source, values::FilePattern};

pub(crate) use self::settings::{AdminSettings, SandboxPath, SandboxSettings, TlsFiles, WatchSettings};
pub(crate) use error::ConfigError;
use error::Problem;

/// The content of a `nebula.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// The functions to publish, in alphabetical order, but each after the functions that it imports.
    pub(crate) functions: Vec<FunctionSource>,
    /// The functions at paths or hosts of their own.
    pub(crate) routes: Vec<Route>,
    /// The limits of functions that set none of their own.
    pub(crate) limits: LimitSettings,
    /// The limits that no function can exceed.
    pub(crate) ceilings: LimitSettings,
    /// How many invocations a server runs at once.
    pub(crate) concurrency: Option<u32>,
    /// How often one client may send requests.
    pub(crate) client_rate: Option<Rate>,
    /// Which pages of other origins may call functions that do not set it themselves.
    pub(crate) cors: Option<Cors>,
    /// Whether answers are compressed. By default they are.
    pub(crate) compress: Option<bool>,
    /// The proxies whose `X-Forwarded-` headers the server trusts.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Whether the connections of these proxies begin with a header of the PROXY protocol.
    pub(crate) proxy_protocol: bool,
    /// How much memory the results of pure functions may take together.
    pub(crate) result_cache: Option<ByteSize>,
    /// The certificate of the server.
    pub(crate) tls: Option<TlsFiles>,
    /// The settings of the admin API.
    pub(crate) admin: AdminSettings,
    /// The services of this node.
    pub(crate) services: ServicesConfig,
    /// Which versions may run.
    pub(crate) trust: Trust,
    /// What the sandbox is open for besides all this.
    pub(crate) sandbox: SandboxSettings,
    /// The settings of `serve --watch`.
    pub(crate) watch: WatchSettings,
}

/// A function and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionSource {
    /// Its name.
    pub(crate) name: FunctionName,
    /// Its file, as seen from the working directory, or its artifact.
    pub(crate) source: Source,
    /// The build of that file, if it has one.
    pub(crate) build: Option<Build>,
    /// Its settings. The paths of granted folders are absolute, and the folders exist.
    pub(crate) config: FunctionConfig,
}

impl Config {
    /// The name of the file in the working directory that is used by default.
    pub(crate) const FILE: &'static str = "nebula.toml";

    /// The proxies whose word on a client's address counts.
    pub(crate) fn proxies(&self) -> TrustedProxies {
        self.trusted_proxies.iter().copied().collect()
    }

    /// Reads and checks a file. Relative paths in it are relative to its folder.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(path, &text(path)?).map_err(ConfigError::Invalid)
    }

    /// Reads a file, and checks `[trust]`: whether its other values can be used on this machine is not looked at.
    pub(crate) fn read_trust(path: &Path) -> Result<Trust, ConfigError> {
        let text = text(path)?;
        let trust = || checked_trust(path, &text, written(path, &text)?.trust);
        trust().map_err(ConfigError::Invalid)
    }

    /// Reads a file, and returns its services: whether its other values can be used on this machine is not looked at.
    pub(crate) fn read_services(path: &Path) -> Result<ServicesConfig, ConfigError> {
        let text = text(path)?;
        written(path, &text).map(|file| file.services).map_err(ConfigError::Invalid)
    }

    /// Checks the text of a file.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Problem> {
        let file = written(path, text)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let checked = |(name, function)| {
            FunctionSource::check(base, name, function)
                .map_err(|wrong| Problem::at_key(path, text, &wrong.key(), &wrong.detail))
        };
        let functions = file.functions.into_iter().map(checked).collect::<Result<_, _>>()?;
        let functions = in_order(functions).map_err(|name| {
            let key = ["functions", name.as_str(), "imports"];
            Problem::at_key(path, text, &key, "the function imports itself, by way of what it imports")
        })?;
        if file.server.proxy_protocol && file.server.trusted_proxies.is_empty() {
            let detail = "no proxy can send it: name the proxies in trusted_proxies";
            return Err(Problem::at_key(path, text, &["server", "proxy_protocol"], detail));
        }
        Ok(Self {
            functions,
            routes: file.routes.into_iter().map(|route| route.0).collect(),
            limits: file.limits.settings(),
            ceilings: file.ceilings.settings(),
            concurrency: file.server.concurrency.map(|count| count.0),
            client_rate: file.server.client_rate.map(|rate| rate.0),
            cors: file.server.cors,
            compress: file.server.compress,
            trusted_proxies: file.server.trusted_proxies.into_iter().map(|network| network.0).collect(),
            proxy_protocol: file.server.proxy_protocol,
            result_cache: file.server.result_cache.map(|size| size.0),
            tls: file.server.tls.map(|tls| TlsFiles::of(base, tls)),
            admin: AdminSettings::of(base, file.admin),
            services: file.services,
            trust: checked_trust(path, text, file.trust)?,
            sandbox: SandboxSettings::of(base, file.sandbox),
            watch: WatchSettings { ignore: patterns(file.watch.ignore), poll: file.watch.poll.map(|poll| poll.0) },
        })
    }
}

fn text(path: &Path) -> Result<String, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    // Some editors write a byte order mark before the text.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The file as it is written.
fn written(path: &Path, text: &str) -> Result<schema::File, Problem> {
    let document = toml::Deserializer::parse(text).map_err(|error| Problem::of_toml(path, text, "", &error))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let key = error.path().iter().next().map(|_| error.path().to_string());
        Problem::of_toml(path, text, &key.unwrap_or_default(), error.inner())
    })
}

fn checked_trust(path: &Path, text: &str, written: schema::Trust) -> Result<Trust, Problem> {
    let base = path.parent().unwrap_or(Path::new(""));
    trust::check(base, written).map_err(|wrong| Problem::at_key(path, text, &["trust", wrong.key], &wrong.detail))
}

/// Sorts the functions so that each comes after the functions that it imports.
///
/// # Errors
/// The first of the functions that import each other.
fn in_order(mut left: Vec<FunctionSource>) -> Result<Vec<FunctionSource>, FunctionName> {
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(first) = left.first() {
        let waits = |function: &FunctionSource| {
            let imported = |name| function.config.imports.values().any(|import| import.name() == name);
            left.iter().any(|other| imported(&other.name))
        };
        let Some(next) = left.iter().position(|function| !waits(function)) else {
            return Err(first.name.clone());
        };
        ordered.push(left.remove(next));
    }
    Ok(ordered)
}

/// A key of a function whose value is wrong.
struct Wrong {
    function: FunctionName,
    key: &'static str,
    detail: String,
}

impl Wrong {
    fn key(&self) -> [&str; 3] {
        ["functions", self.function.as_str(), self.key]
    }
}

impl FunctionSource {
    /// Whether both have the same source, built by the same command.
    pub(crate) fn is_built_like(&self, other: &Self) -> bool {
        let builds_like = match (&self.build, &other.build) {
            (Some(build), Some(other)) => build.runs_like(other),
            (build, other) => build == other,
        };
        self.source == other.source && builds_like
    }

    fn check(base: &Path, name: FunctionName, function: schema::Function) -> Result<Self, Wrong> {
        let wrong = |key, detail| Wrong { function: name.clone(), key, detail };
        let limits = function.limits();
        let dirs = function.dirs.into_iter().map(|dir| grant(base, dir)).collect::<Result<_, _>>();
        let mut config = FunctionConfig::default();
        config.export = function.export;
        config.limits = limits;
        config.args = function.args;
        config.env = function.env.into_iter().map(|(name, value)| (name.0, located(base, value))).collect();
        config.dirs = dirs.map_err(|detail| wrong("dirs", detail))?;
        config.allow_hosts = function.allow_hosts;
        config.connect = function.connect;
        config.config = function.config.into_iter().map(|(name, value)| (name, located(base, value))).collect();
        config.keyvalue = function.keyvalue;
        config.blobs = function.blobs;
        config.imports = function.imports;
        config.cache = function.cache;
        config.snapshot = function.snapshot;
        config.reuse = function.reuse.map(|reuse| reuse.0);
        config.content_type = function.content_type.map(|media_type| media_type.0);
        config.batch = function.batch;
        config.cloudevents = function.cloudevents;
        config.cors = function.cors;
        config.azure = function.azure.map(|azure| AzureConfig::new(azure.bindings));
        if let Some(azure) = &config.azure {
            Bindings::new(azure.bindings.clone()).map_err(|error| wrong("azure", error.to_string()))?;
        }
        let no_build = |key| wrong(key, "this belongs to a build, and the function has none".to_owned());
        let build = match (function.build, function.build_timeout, function.watch) {
            (None, Some(_), _) => return Err(no_build("build_timeout")),
            (None, None, watch) if !watch.is_empty() => return Err(no_build("watch")),
            (command, timeout, watch) => command.map(|command| Build {
                command: command.0,
                folder: base.to_owned(),
                timeout: timeout.map_or(Build::TIMEOUT, |timeout| timeout.0),
                watch: patterns(watch),
            }),
        };
        let source = source(base, function.source).map_err(|detail| wrong("source", detail))?;
        if build.is_some() && source.file().is_none() {
            return Err(wrong("build", "an artifact of a registry is built already".to_owned()));
        }
        Ok(Self { source, build, name, config })
    }
}

fn source(base: &Path, written: PathBuf) -> Result<Source, String> {
    match Source::parse(written.into()).map_err(|error| error.to_string())? {
        Source::File(path) => Ok(Source::File(base.join(path))),
        registry @ Source::Registry(_) => Ok(registry),
    }
}

/// The value with the absolute path of its file, so that a published function means the same file wherever it runs.
fn located(base: &Path, value: ConfigValue) -> ConfigValue {
    match value {
        ConfigValue::File(path) => {
            let path = base.join(path);
            ConfigValue::File(std::path::absolute(&path).unwrap_or(path))
        }
        value => value,
    }
}

fn patterns(written: Vec<FilePattern>) -> Vec<String> {
    written.into_iter().map(|pattern| pattern.0).collect()
}

fn grant(base: &Path, dir: schema::Dir) -> Result<DirGrant, String> {
    if dir.guest.is_empty() {
        return Err("guest is empty; expected a path such as \"/data\"".to_owned());
    }
    let grant = DirGrant::new(base.join(dir.host), dir.guest);
    absolute(if dir.writable { grant.writable() } else { grant }).map_err(|error| error.to_string())
}

/// The grant with the absolute path of the host's folder, so that a published function has the same folder wherever it
/// runs.
///
/// # Errors
/// If the folder does not exist or is not a folder.
pub(crate) fn absolute(mut dir: DirGrant) -> Result<DirGrant, FolderError> {
    let failed = |source| FolderError::Unusable { path: dir.host.clone(), source };
    let host = std::path::absolute(&dir.host).map_err(failed)?;
    if !fs::metadata(&host).map_err(failed)?.is_dir() {
        return Err(FolderError::NotAFolder(dir.host));
    }
    dir.host = host;
    Ok(dir)
}

/// Why a folder cannot be granted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// The folder does not exist or cannot be read.
    #[error("the folder {} cannot be granted: {source}", path.display())]
    Unusable {
        /// The folder, as it is written in the configuration.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path is not a folder.
    #[error("{} cannot be granted: it is not a folder", .0.display())]
    NotAFolder(PathBuf),
}
