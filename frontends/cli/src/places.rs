//! Where functions and compiled code are kept.

use std::path::PathBuf;

use clap::Args;
use etcetera::base_strategy::{BaseStrategy as _, choose_native_strategy};
use nebula_runtime::{Store, StoreUrl};

use crate::failure::Failure;

/// Where things are kept, as the command line or the environment says it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct PlaceOptions {
    /// Where functions are published: a folder, file:///…, or memory:// [default: the user's data folder]
    #[arg(long, global = true, value_name = "URL", env = "NEBULA_STORE", hide_env_values = true)]
    store: Option<StoreUrl>,
    /// The folder for compiled code [default: the user's cache folder]
    #[arg(long, global = true, value_name = "FOLDER", env = "NEBULA_CACHE", hide_env_values = true)]
    cache: Option<PathBuf>,
}

impl PlaceOptions {
    /// Opens the store, and makes it where it is not there yet.
    pub(crate) async fn open_store(&self) -> Result<(Store, StoreUrl), Failure> {
        let url = match &self.store {
            Some(url) => url.clone(),
            None => default_store()?,
        };
        Ok((Store::open(&url).await?, url))
    }

    /// The folder for compiled code; `None` where a user without a home folder has not said one.
    pub(crate) fn code_cache(&self) -> Option<PathBuf> {
        let default = || Some(choose_native_strategy().ok()?.cache_dir().join("nebula/code"));
        self.cache.clone().or_else(default)
    }
}

/// `~/.local/share/nebula/store` on Linux (XDG Base Directory Specification), `~/Library/Application Support/…` on macOS.
fn default_store() -> Result<StoreUrl, Failure> {
    let folders = choose_native_strategy().map_err(|_| Failure::Homeless)?;
    StoreUrl::folder(&folders.data_dir().join("nebula/store")).map_err(|_| Failure::Homeless)
}
