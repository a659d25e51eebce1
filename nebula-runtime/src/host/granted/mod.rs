//! The host services that a function's configuration grants its guests.

mod bound;
mod bucket;
mod container;
mod containers;
mod environment;
mod files;
mod listing;
mod lookups;
mod missing;
mod network;
mod operations;
mod prefixed;
mod room;
mod settings;
mod stores;
mod usage;

use wasmtime_wasi::WasiCtxBuilder;

use self::{containers::containers, environment::Environment, files::Files, stores::stores};
use super::{outgoing::Outgoing, services::Services};
use crate::{
    call::{Caller, InvokeError},
    function::{FunctionConfig, FunctionName},
};

pub(super) use self::{
    bucket::Bucket, container::Container, containers::Containers, listing::Listing, lookups::LookupError,
    network::Network, settings::Settings, stores::Stores,
};

/// The host services that a function's configuration grants its guests. They are set up once for a version, and given
/// to each instance.
pub(crate) struct Granted {
    /// What the function is granted and this process cannot reach, in words: for the log, as it may name a folder of the
    /// host.
    beyond_reach: Option<String>,
    environment: Environment,
    files: Files,
    network: Network,
    outgoing: Outgoing,
    settings: Settings,
    stores: Stores,
    containers: Containers,
}

/// What an instance has for the invocation that it serves.
pub(super) struct Given {
    pub(super) outgoing: Outgoing,
    /// How many more characters the guest may write to the log.
    pub(super) log_left: usize,
    /// How many more bytes the spans that the guest makes may have.
    pub(super) spans_left: usize,
}

/// How many characters a guest may write to the log for one invocation. The same holds for its stderr.
const MOST_LOGGED: usize = 64 << 10;

/// How many bytes the spans have that a guest makes for one invocation. The host keeps them until its end.
const MOST_SPANS: usize = 1 << 20;

impl Granted {
    /// Sets up the services that the function `name` is granted, on the node with these services.
    pub(crate) fn set_up(name: &FunctionName, config: &FunctionConfig, services: &Services) -> Self {
        Self {
            beyond_reach: services.beyond_reach(config),
            environment: Environment::set_up(config, services),
            files: Files::set_up(config),
            network: Network::set_up(name, config),
            outgoing: Outgoing::set_up(name, config),
            settings: Settings::set_up("config", &config.config, services),
            stores: stores(config, services),
            containers: containers(config, services),
        }
    }

    /// Checks that this node has all that is granted: that each service is configured, that each value is there, and
    /// that each folder can be opened.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if something is missing.
    pub(crate) fn check(&self) -> Result<(), InvokeError> {
        self.wasi().map(drop)
    }

    /// The system interface of a new instance of a component, with environment variables and folders, and without
    /// standard streams.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if this node does not have all that is granted.
    pub(crate) fn wasi(&self) -> Result<WasiCtxBuilder, InvokeError> {
        if let Some(beyond) = &self.beyond_reach {
            let detail =
                "the sandbox of this node has not all that the function is granted: its log says what would let it in";
            return Err(missing::missing(detail.to_owned()).with_source(beyond.clone()));
        }
        self.settings.check()?;
        self.stores.check()?;
        self.containers.check()?;
        let mut wasi = WasiCtxBuilder::new();
        self.environment.give(&mut wasi)?;
        self.files.give(&mut wasi)?;
        self.network.give(&mut wasi);
        Ok(wasi)
    }

    /// The system interface of a new instance of a module, which has settings as environment variables.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if this node does not have all that is granted.
    pub(crate) fn wasi_of_module(&self) -> Result<WasiCtxBuilder, InvokeError> {
        let mut wasi = self.wasi()?;
        for (name, value) in self.settings.all()? {
            wasi.env(name, &value);
        }
        Ok(wasi)
    }

    /// The connections that guests may make.
    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn stores(&self) -> &Stores {
        &self.stores
    }

    pub(super) fn containers(&self) -> &Containers {
        &self.containers
    }

    /// What an instance that serves `caller` has.
    pub(super) fn give(&self, caller: &Caller) -> Given {
        Given { outgoing: self.outgoing.give(caller), log_left: MOST_LOGGED, spans_left: MOST_SPANS }
    }
}
