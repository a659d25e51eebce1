//! `nebula publish`.

use std::path::{Path, PathBuf};

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{AliasName, FunctionConfig, FunctionInfo, FunctionName, Published, nearest};

use crate::{
    config::Config, failure::Failure, global::Global, print, progress::while_working, publish::read_module,
    releases::Releases,
};

const EXAMPLES: &str = "\
Examples:
  nebula publish treats guests/treats.wat
  nebula publish resize resize.wasm --alias prod
  nebula publish report report.wasm --config nebula.toml

A server that uses the same store serves the new version within two seconds.
Publishing the same file with the same settings again changes nothing.";

/// Publishes a WebAssembly file as the newest version of a function
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Publish {
    /// The name of the function: 1 to 63 of a-z, 0-9 and -, starting with a letter
    name: FunctionName,
    /// The WebAssembly file, in the binary or the text format
    file: PathBuf,
    /// Also point this alias to the version
    #[arg(long)]
    alias: Option<AliasName>,
    /// Use the settings of [functions.NAME] in this file, except its source
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON, with the version and whether anything changed
    #[arg(long)]
    json: bool,
}

impl Publish {
    /// Publishes the file, and prints the version that is now published.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let config = self.config.as_deref().map(|path| settings(path, &self.name)).transpose()?.unwrap_or_default();
        let releases = global.places.releases_to_publish().await?;
        let publish = self.publish(releases.as_ref(), config);
        let published = while_working(format!("compiling {}", self.file.display()), publish).await;
        let published = published.map_err(|source| Failure::Publish {
            function: self.name,
            path: self.file,
            source: Box::new(source),
        })?;
        match self.json {
            true => print::json(&published)?,
            false => print::result(&sentence(&published))?,
        }
        Ok(ExitCode::OK)
    }

    async fn publish(&self, releases: &dyn Releases, config: FunctionConfig) -> Result<Published, Failure> {
        let module = read_module(&self.file).await?;
        releases.publish(&self.name, module, config, self.alias.as_ref()).await
    }
}

/// The settings that a configuration has for one function.
fn settings(path: &Path, name: &FunctionName) -> Result<FunctionConfig, Failure> {
    let functions = Config::read(path)?.functions;
    let names: Vec<_> = functions.iter().map(|function| function.name.clone()).collect();
    let found = functions.into_iter().find(|function| function.name == *name);
    found.map(|function| function.config).ok_or_else(|| {
        let hint = match nearest(name.as_str(), names.iter().map(FunctionName::as_str)) {
            Some(nearest) => format!("; did you mean {nearest}?"),
            None => String::new(),
        };
        Failure::Usage(format!("{} has no [functions.{name}]{hint}", path.display()))
    })
}

fn sentence(Published { info, changed, .. }: &Published) -> String {
    let FunctionInfo { name, version, digest, kind, .. } = info;
    let unchanged = if *changed { "" } else { "unchanged: " };
    let exports = if info.exports.is_empty() { String::new() } else { format!(", exports {}", print::exports(info)) };
    format!("{unchanged}{name} version {version} ({digest}), {kind}{exports}\n")
}
