//! `nebula publish`.

use std::path::{Path, PathBuf};

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{AliasName, FunctionConfig, FunctionInfo, FunctionName, Published, Runtime, Trust, nearest};
use serde_json::Value;

use crate::{
    config::Config,
    failure::Failure,
    global::Global,
    oci::{OciError, OciReference, Pulled, pull},
    print,
    progress::while_working,
    publish::{publish_pulled, read_module},
    releases::Releases,
    source::Source,
    trust::implied_trust,
};

const EXAMPLES: &str = "\
Examples:
  nebula publish treats guests/treats.wat
  nebula publish resize resize.wasm --alias prod
  nebula publish report report.wasm --config nebula.toml
  nebula publish shop oci://registry.example.com/team/shop:1.0

A server that uses the same store serves the new version within two seconds.
Publishing the same file with the same settings again changes nothing.

An artifact of a registry is pulled with the credentials of docker login. The keys of
[trust], in --config or in nebula.toml here, check its signatures in the registry.";

/// Publishes a WebAssembly file, or an artifact of a registry, as the newest version of a function
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Publish {
    /// The name of the function: 1 to 63 of a-z, 0-9 and -, starting with a letter
    name: FunctionName,
    /// The WebAssembly file, in the binary or the text format, or an artifact such as
    /// oci://registry.example.com/team/shop:1.0
    #[arg(value_name = "FILE|oci://REFERENCE")]
    source: Source,
    /// Also point this alias to the version
    #[arg(long)]
    alias: Option<AliasName>,
    /// Use the settings of [functions.NAME] in this file, except its source
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the settings that an artifact brings: its limits, variables, folders and hosts
    #[arg(long, conflicts_with = "config")]
    with_config: bool,
    /// Print JSON, with the version and whether anything changed
    #[arg(long)]
    json: bool,
}

impl Publish {
    /// Publishes the source, and prints the version that is now published.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let config = self.config.as_deref().map(|path| settings(path, &self.name)).transpose()?.unwrap_or_default();
        if self.with_config && self.source.file().is_some() {
            let hint = "the settings of a file are in nebula.toml (--config)";
            return Err(Failure::Usage(format!("--with-config is for an artifact of a registry: {hint}")));
        }
        let published = match &self.source {
            Source::File(path) => {
                let trust = if config.snapshot.is_off() { Trust::default() } else { self.trust()? };
                let releases = global.places.releases_to_publish(trust).await?;
                self.publish_file(releases.as_ref(), path, config).await
            }
            Source::Registry(reference) => self.publish_artifact(global, reference, config).await,
        };
        let published = published.map_err(|source| Failure::Publish {
            function: self.name,
            from: self.source,
            source: Box::new(source),
        })?;
        match self.json {
            true => print::json(&published)?,
            false => print::result(&sentence(&published))?,
        }
        Ok(ExitCode::OK)
    }

    async fn publish_file(
        &self,
        releases: &dyn Releases,
        path: &Path,
        config: FunctionConfig,
    ) -> Result<Published, Failure> {
        let publish = async {
            let module = read_module(path).await?;
            releases.publish(&self.name, module, config, None, self.alias.as_ref()).await
        };
        while_working(format!("compiling {}", path.display()), publish).await
    }

    /// Publishes an artifact. A server and a store learn where it came from. A store also gets its signatures.
    async fn publish_artifact(
        &self,
        global: &Global,
        reference: &OciReference,
        config: FunctionConfig,
    ) -> Result<Published, Failure> {
        let trust = self.trust()?;
        let pulled = while_working(format!("pulling {reference}"), pull(reference)).await?;
        let config = self.artifact_config(&pulled, config)?;
        if global.places.is_server() {
            let origin = pulled.origin(&self.name, &trust)?;
            let releases = global.places.releases_to_publish(trust).await?;
            return releases.publish(&self.name, pulled.module, config, Some(origin), self.alias.as_ref()).await;
        }
        let (store, _) = global.places.open_or_make_store().await?;
        let builder = Runtime::builder(store).trust(trust).code_cache(global.places.code_cache()).concurrency(1);
        publish_pulled(&builder.build()?, &self.name, &pulled, config, self.alias.as_ref()).await
    }

    fn trust(&self) -> Result<Trust, Failure> {
        Ok(self.config.as_deref().map_or_else(implied_trust, Config::read_trust)?)
    }

    /// The configuration of the version: that of the artifact only where that is asked for. Otherwise its grants are shown.
    fn artifact_config(&self, pulled: &Pulled, config: FunctionConfig) -> Result<FunctionConfig, Failure> {
        if self.with_config {
            let missing = || OciError::NoConfig { reference: pulled.reference.to_string() };
            return Ok(pulled.config()?.ok_or_else(missing)?);
        }
        if let Some(brought) = pulled.config().ok().flatten().filter(|brought| *brought != config) {
            print::note(format_args!("the artifact brings settings, which are not taken (--with-config takes them):"));
            brought.grants().iter().for_each(|grant| print::note(format_args!("  {grant}")));
            other_settings(&brought).iter().for_each(|key| print::note(format_args!("  {key}")));
        }
        Ok(config)
    }
}

/// The keys of a configuration that grant nothing.
fn other_settings(config: &FunctionConfig) -> Vec<String> {
    const GRANTS: [&str; 3] = ["env", "dirs", "allow_hosts"];

    let written = serde_json::to_value(config).unwrap_or_default();
    let is_set = |value: &Value| !value.is_null() && value.as_object().is_none_or(|object| !object.is_empty());
    let keys = written.as_object().into_iter().flatten();
    keys.filter(|(key, value)| !GRANTS.contains(&key.as_str()) && is_set(value)).map(|(key, _)| key.clone()).collect()
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
