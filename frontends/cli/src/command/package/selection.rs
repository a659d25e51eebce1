//! Which functions a package has.

use std::path::PathBuf;

use clap::Args;
use nebula_runtime::{Architecture, FunctionRef, NewPackage, PackageSettings, Runtime};

use crate::{
    config::Config, failure::Failure, global::Global, print, progress::while_working, publish::publish_all,
    trust::implied_trust,
};

/// The functions of a package.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// The functions, such as treats, treats@3 or resize@prod. Without a version, the latest is packaged
    #[arg(value_name = "FUNCTION", required_unless_present = "config")]
    functions: Vec<FunctionRef>,
    /// Publish the functions of this file first. The package gets the limits of the file, and all its
    /// functions if no FUNCTION is named
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Selection {
    /// Compiles the functions for processors of this kind.
    pub(super) async fn package(&self, global: &Global, architecture: Architecture) -> Result<NewPackage, Failure> {
        let config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config { trust: implied_trust()?, ..Config::default() },
        };
        let (store, _) = match self.config.is_some() {
            true => global.places.open_or_make_store().await?,
            false => global.places.open_store().await?,
        };
        let builder = Runtime::builder(store).trust(config.trust.clone()).code_cache(global.places.code_cache());
        let runtime = builder.concurrency(1).build()?;
        publish_all(&runtime, &config).await?;
        let functions = match self.functions.as_slice() {
            [] => config.functions.iter().map(|function| function.name.clone().into()).collect(),
            functions => functions.to_vec(),
        };
        let mut settings = PackageSettings::default();
        (settings.limits, settings.ceilings, settings.cors) = (config.limits, config.ceilings, config.cors);
        settings.result_cache = config.result_cache.map(|size| size.as_u64());
        let package = runtime.package(&functions, architecture, settings);
        Ok(while_working(format!("compiling for {architecture}"), package).await?)
    }
}

/// Tells which folders of this machine the functions have to find on the platform, too.
pub(super) fn note_folders(package: &NewPackage, platform: &str) {
    for function in &package.functions {
        for dir in &function.info.config.dirs {
            let (name, host) = (&function.info.name, dir.host.display());
            print::note(format_args!("{name} is granted {host}: that folder has to be there {platform} too"));
        }
    }
}
