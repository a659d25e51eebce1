//! The services that functions use.

use std::path::{Path, PathBuf};

use clap::Args;
use nebula_runtime::{Node, Services, ServicesConfig, StoreUrl};

use crate::{
    config::{Config, ConfigError},
    failure::Failure,
};

/// Where the services of this node are configured.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServiceOptions {
    /// The configuration, whose table services says what stands behind the names of services [default: nebula.toml, if the
    /// working directory has one]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl ServiceOptions {
    /// The services of this node.
    pub(crate) fn open(&self, store: &StoreUrl) -> Result<Services, Failure> {
        open_implied(self.config.as_deref(), store)
    }

    /// Refuses options that say nothing of a server.
    pub(crate) fn refuse_on_server(&self) -> Result<(), Failure> {
        match &self.config {
            None => Ok(()),
            Some(_) => {
                let detail = "--config says what the services of this machine are: the server has its own";
                Err(Failure::Usage(detail.to_owned()))
            }
        }
    }
}

/// The services of this node: those of the environment, or else those of the configuration, whose file is `path`. With
/// nothing configured, they stand beside the store.
pub(crate) fn open(path: Option<&Path>, configured: &ServicesConfig, store: &StoreUrl) -> Result<Services, Failure> {
    let (node, config) = of_node(path, configured)?;
    let services = config.open(&node)?;
    Ok(if config.is_empty() { services.unnamed_beside(store) } else { services })
}

/// What stands behind the names of services on this node, before anything is opened.
pub(crate) fn of_node(path: Option<&Path>, configured: &ServicesConfig) -> Result<(Node, ServicesConfig), Failure> {
    let folder = path.and_then(Path::parent).map(PathBuf::from).unwrap_or_default();
    let node = Node::new(folder, std::env::vars_os());
    let config = ServicesConfig::of_environment(&node)?.unwrap_or_else(|| configured.clone());
    Ok((node, config))
}

/// The same where a command reads nothing else of the configuration: by default that of the working directory.
pub(crate) fn open_implied(path: Option<&Path>, store: &StoreUrl) -> Result<Services, Failure> {
    let implied = Path::new(Config::FILE);
    let path = path.or_else(|| implied.exists().then_some(implied));
    let configured: Result<_, ConfigError> = path.map_or_else(|| Ok(ServicesConfig::default()), Config::read_services);
    open(path, &configured?, store)
}

/// The services of a package, which only the environment says.
pub(crate) fn of_package() -> Result<Services, Failure> {
    let node = Node::new(PathBuf::new(), std::env::vars_os());
    Ok(ServicesConfig::of_environment(&node)?.unwrap_or_default().open(&node)?)
}
