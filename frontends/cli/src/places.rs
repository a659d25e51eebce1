//! Where the functions and the compiled code are.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use clap::{
    ArgMatches, Args, Command, FromArgMatches,
    builder::{OsStringValueParser, TypedValueParser as _},
    error::ErrorKind,
    parser::ValueSource,
};
use etcetera::base_strategy::{BaseStrategy as _, choose_native_strategy};
use nebula_admin::TokenFile;
use nebula_runtime::{
    CodeCacheFolder, FunctionRef, Runtime, Store, StoreAccess, StoreError, StoreUrl, Trust, store::InvalidStoreUrl,
};

use crate::{
    client::{Client, ServerUrl},
    data::{Data, LocalData, RemoteData},
    failure::Failure,
    releases::{Local, Releases, Remote},
    services::ServiceOptions,
    trust::TrustOptions,
    values::Size,
};

/// Where the functions and the compiled code are, as the command line or the environment says.
#[derive(Debug, Clone)]
pub(crate) struct PlaceOptions {
    functions: Place,
    cache: Option<PathBuf>,
    cache_size: Size,
}

/// Where the functions are.
#[derive(Debug, Clone)]
enum Place {
    Store(StoreUrl),
    /// The store in the user's data folder.
    DefaultStore,
    Server(ServerUrl),
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct WrittenOptions {
    /// The store of published functions: a folder, file:///…, memory://, or a store that machines share:
    /// s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX [default: the user's data folder]
    #[arg(long, global = true, value_name = "URL", env = "NEBULA_STORE", hide_env_values = true)]
    #[arg(value_parser = OsStringValueParser::new().try_map(store_url))]
    store: Option<StoreUrl>,
    /// A server in place of a store, for the commands publish, list, inspect, alias, rollback, history, diff, rm, kv and
    /// blobs: the address of its nebula serve --admin. Its token is in NEBULA_TOKEN
    #[arg(long, global = true, value_name = "URL", env = "NEBULA_SERVER", hide_env_values = true)]
    server: Option<ServerUrl>,
    /// The folder for compiled code [default: the user's cache folder]
    #[arg(long, global = true, value_name = "FOLDER", env = "NEBULA_CACHE", hide_env_values = true)]
    cache: Option<PathBuf>,
    /// The largest size of the folder for compiled code. Code that was not used for the longest time is removed first
    #[arg(long, global = true, value_name = "SIZE", env = "NEBULA_CACHE_SIZE", hide_env_values = true)]
    #[arg(default_value = "2GiB")]
    cache_size: Size,
}

/// Where the tokens of the admin API are, as the command line or the environment says.
#[derive(Debug, Clone, Args)]
pub(crate) struct TokenOptions {
    /// The file of the admin API's tokens [default: tokens.json in the user's data folder]
    #[arg(long, value_name = "FILE", env = "NEBULA_TOKENS", hide_env_values = true)]
    tokens: Option<PathBuf>,
}

impl TokenOptions {
    /// The file, beside the store of the same user. No store holds it.
    pub(crate) fn file(&self) -> Result<TokenFile, Failure> {
        let default = || {
            let folders = choose_native_strategy().map_err(|_| Failure::Homeless)?;
            Ok(folders.data_dir().join("nebula/tokens.json"))
        };
        self.tokens.clone().map_or_else(default, Ok).map(TokenFile::at)
    }
}

impl PlaceOptions {
    /// The functions that a command shows or changes: those of the server, if there is one, else those of the store.
    ///
    /// # Errors
    /// [`Failure::NoStore`] if the store does not exist.
    pub(crate) async fn releases(&self) -> Result<Box<dyn Releases>, Failure> {
        match &self.functions {
            Place::Server(server) => remote(server),
            Place::Store(_) | Place::DefaultStore => self.local(self.open_store().await?),
        }
    }

    /// The same for a command that is about one function. If the store does not exist, neither does the function.
    pub(crate) async fn releases_of(&self, function: &FunctionRef) -> Result<Box<dyn Releases>, Failure> {
        match &self.functions {
            Place::Server(server) => remote(server),
            Place::Store(_) | Place::DefaultStore => {
                self.local((self.open_store_of(function).await?, self.store_url()?))
            }
        }
    }

    /// The same for a command that publishes. It creates the store if it does not exist. The images of snapshots that it has
    /// are used again if `trust` has their versions.
    pub(crate) async fn releases_to_publish(&self, trust: Trust) -> Result<Box<dyn Releases>, Failure> {
        match &self.functions {
            Place::Server(server) => remote(server),
            Place::Store(_) | Place::DefaultStore => {
                let (store, url) = self.open_or_make_store().await?;
                Ok(Box::new(Local::new(store, url, self.code_cache(), trust)?))
            }
        }
    }

    /// The same for a command that moves an alias: in a store, only to versions that it trusts. A server decides itself.
    pub(crate) async fn releases_to_move(&self, trust: &TrustOptions) -> Result<Box<dyn Releases>, Failure> {
        match &self.functions {
            Place::Server(server) => remote(server),
            Place::Store(_) | Place::DefaultStore => {
                let (store, url) = self.open_store().await?;
                Ok(Box::new(Local::new(store, url, self.code_cache(), trust.trust()?)?))
            }
        }
    }

    fn local(&self, (store, url): (Store, StoreUrl)) -> Result<Box<dyn Releases>, Failure> {
        Ok(Box::new(Local::new(store, url, self.code_cache(), Trust::default())?))
    }

    /// What functions keep in services: those of the server, if there is one, else those that `services` says.
    ///
    /// # Errors
    /// A service cannot be set up.
    pub(crate) fn data(&self, services: &ServiceOptions) -> Result<Box<dyn Data>, Failure> {
        match &self.functions {
            Place::Server(server) => {
                services.refuse_on_server()?;
                Ok(Box::new(RemoteData(client(server)?)))
            }
            Place::Store(_) | Place::DefaultStore => Ok(Box::new(LocalData(services.open(&self.store_url()?)?))),
        }
    }

    /// Whether the functions are those of a server.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.functions, Place::Server(_))
    }

    /// Opens a store that exists. Commands that only read do not create one.
    ///
    /// # Errors
    /// [`Failure::NoStore`] if it does not exist. [`Failure::Usage`] if a server is named in place of a store.
    pub(crate) async fn open_store(&self) -> Result<(Store, StoreUrl), Failure> {
        let url = self.store_url()?;
        match Store::open_existing(&url, &access()).await {
            Ok(store) => Ok((store, url)),
            Err(StoreError::Gone { .. }) => Err(Failure::NoStore(url)),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the store of a function. If the store does not exist, neither does the function.
    pub(crate) async fn open_store_of(&self, function: &FunctionRef) -> Result<Store, Failure> {
        match self.open_store().await {
            Err(failure @ Failure::NoStore(_)) => {
                let nowhere = Runtime::builder(Store::memory()).concurrency(1).build()?;
                match nowhere.inspect(function).await {
                    Err(error) => Err(error.with_source(failure).into()),
                    Ok(_) => Err(failure),
                }
            }
            opened => opened.map(|(store, _)| store),
        }
    }

    /// Opens the store, and creates it if it does not exist.
    pub(crate) async fn open_or_make_store(&self) -> Result<(Store, StoreUrl), Failure> {
        let url = self.store_url()?;
        Ok((Store::open_with(&url, &access()).await?, url))
    }

    /// The store.
    ///
    /// # Errors
    /// [`Failure::Usage`] if a server is named in place of a store.
    pub(crate) fn store_url(&self) -> Result<StoreUrl, Failure> {
        match &self.functions {
            Place::Store(url) => Ok(url.clone()),
            Place::DefaultStore => default_store(),
            Place::Server(url) => Err(Failure::Usage(format!(
                "this command works on a store, and not on the server {url}: name the store with --store. The commands \
                 publish, list, inspect, alias, rollback, history, diff, rm, kv and blobs work on a server"
            ))),
        }
    }

    /// The folder for compiled code; `None` if the user has no home folder and named no other.
    pub(crate) fn code_cache(&self) -> Option<CodeCacheFolder> {
        let default = || Some(choose_native_strategy().ok()?.cache_dir().join("nebula/code"));
        let path = self.cache.clone().or_else(default)?;
        Some(CodeCacheFolder { path, max_size: self.cache_size.0 })
    }
}

impl Args for PlaceOptions {
    fn augment_args(command: Command) -> Command {
        WrittenOptions::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        WrittenOptions::augment_args_for_update(command)
    }
}

/// A store and a server exclude each other. What the command line says counts more than what the environment says, so that
/// `--store` works where `NEBULA_SERVER` is set. `conflicts_with` would not tell the two apart.
impl FromArgMatches for PlaceOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let WrittenOptions { store, server, cache, cache_size } = WrittenOptions::from_arg_matches(matches)?;
        let is_argument = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
        let functions = match (store, server) {
            (None, None) => Place::DefaultStore,
            (Some(store), None) => Place::Store(store),
            (None, Some(server)) => Place::Server(server),
            (Some(store), Some(server)) => match (is_argument("store"), is_argument("server")) {
                (true, false) => Place::Store(store),
                (false, true) => Place::Server(server),
                (true, true) => return Err(conflict("--store and --server are both given: name one of them")),
                (false, false) => {
                    return Err(conflict(
                        "NEBULA_STORE and NEBULA_SERVER are both set: name one with --store or --server",
                    ));
                }
            },
        };
        Ok(Self { functions, cache, cache_size })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn conflict(message: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ArgumentConflict, message)
}

/// The functions of a server.
fn remote(server: &ServerUrl) -> Result<Box<dyn Releases>, Failure> {
    Ok(Box::new(Remote(client(server)?)))
}

/// The client of a server. The token comes from the environment only: the arguments of a process are seen by all.
fn client(server: &ServerUrl) -> Result<Client, Failure> {
    Ok(Client::new(server.clone(), std::env::var_os("NEBULA_TOKEN"))?)
}

/// How shared stores are reached, as the environment says.
fn access() -> StoreAccess {
    StoreAccess::of(std::env::vars_os())
}

/// `~/.local/share/nebula/store` on Linux (XDG Base Directory Specification), `~/Library/Application Support/…` on
/// macOS.
fn default_store() -> Result<StoreUrl, Failure> {
    let folders = choose_native_strategy().map_err(|_| Failure::Homeless)?;
    StoreUrl::folder(&folders.data_dir().join("nebula/store")).map_err(|_| Failure::Homeless)
}

/// Parses the URL or the path of a store. A path need not be UTF-8.
fn store_url(text: OsString) -> Result<StoreUrl, InvalidStoreUrl> {
    match text.to_str() {
        Some(text) => text.parse(),
        None => {
            let path = text.as_bytes().strip_prefix(b"file://").unwrap_or(text.as_bytes());
            StoreUrl::folder(Path::new(OsStr::from_bytes(path)))
        }
    }
}
