//! Publishing functions from files.

use std::path::Path;

use nebula_runtime::{AliasName, FunctionConfig, FunctionName, Published, Runtime};

use crate::{
    config::{Config, FunctionSource},
    failure::Failure,
    progress::while_working,
};

/// Publishes the module in `path` as the newest version of `name`.
pub(crate) async fn publish_file(
    runtime: &Runtime,
    name: &FunctionName,
    path: &Path,
    config: FunctionConfig,
    alias: Option<&AliasName>,
) -> Result<Published, Failure> {
    let publish = async {
        let read = tokio::fs::read(path).await;
        let module = read.map_err(|source| Failure::Read { path: path.to_owned(), source })?;
        runtime.publish(name, module.into(), config, alias).await.map_err(Failure::from)
    };
    while_working(format!("compiling {}", path.display()), publish).await
}

/// Publishes every function of a configuration, as far as they are not yet, and logs what changed. A file that is not there
/// is built first.
///
/// # Errors
/// The first function's that cannot be built or published. Those before it are.
pub(crate) async fn publish_all(runtime: &Runtime, config: &Config) -> Result<(), Failure> {
    for function in &config.functions {
        if !function.source.exists() {
            build(function).await?;
        }
        publish_source(runtime, function).await?;
    }
    Ok(())
}

/// Makes a function's file, where its configuration says how.
pub(crate) async fn build(function: &FunctionSource) -> Result<(), Failure> {
    let FunctionSource { name, build: Some(build), .. } = function else { return Ok(()) };
    build.run(name).await.map_err(|source| Failure::Build { function: name.clone(), source })
}

/// Publishes one function of a configuration, and logs it if that changed anything.
pub(crate) async fn publish_source(runtime: &Runtime, function: &FunctionSource) -> Result<(), Failure> {
    let FunctionSource { name, source: path, config, .. } = function;
    let published = publish_file(runtime, name, path, config.clone(), None)
        .await
        .map_err(|source| Failure::Publish { function: name.clone(), path: path.clone(), source: Box::new(source) })?;
    if published.changed {
        let info = published.info;
        tracing::info!(function = %name, version = info.version, digest = %info.digest, "published");
    }
    Ok(())
}
