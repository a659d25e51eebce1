//! Publishing functions from files.

use std::{collections::BTreeMap, env, fs, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::future::try_join_all;
use nebula_runtime::{AliasName, FunctionConfig, FunctionName, Published, Runtime};

use crate::{
    build::{Build, Slots},
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
        let publication =
            runtime.publish(name, read_module(path).await?).config(config).alias(alias.cloned()).by(publisher());
        publication.await.map_err(Failure::from)
    };
    while_working(format!("compiling {}", path.display()), publish).await
}

/// Reads the module in a file.
pub(crate) async fn read_module(path: &Path) -> Result<Bytes, Failure> {
    let read = tokio::fs::read(path).await;
    read.map(Bytes::from).map_err(|source| Failure::Read { path: path.to_owned(), source })
}

/// Who publishes or changes a function, for its history: `ada@laptop`, or `ada` where the machine does not tell its
/// name.
pub(crate) fn publisher() -> Option<String> {
    let user = env::var("USER").or_else(|_| env::var("LOGNAME")).ok()?;
    match fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(host) => Some(format!("{user}@{}", host.trim())),
        Err(_) => Some(user),
    }
}

/// Publishes every function of a configuration, and logs those that changed. Files that do not exist are built first,
/// all at once.
///
/// # Errors
/// Why the first function failed that cannot be built or published. Those before it are published.
pub(crate) async fn publish_all(runtime: &Runtime, config: &Config) -> Result<(), Failure> {
    build_missing(&config.functions).await?;
    for function in &config.functions {
        publish_source(runtime, function).await?;
    }
    Ok(())
}

/// Builds the files that do not exist and have a build command. When one command fails, the others are ended.
async fn build_missing(functions: &[FunctionSource]) -> Result<(), Failure> {
    let missing = functions.iter().filter(|function| !function.source.exists());
    let builds: BTreeMap<_, _> =
        missing.filter_map(|function| Some((function.build.as_ref()?, &function.name))).collect();
    let slots = Slots::new();
    let run = |(build, function): (&Build, &FunctionName)| {
        let (functions, function, slots) = (label(functions, build), function.clone(), &slots);
        let build = build.clone();
        async move {
            let built = build.run(&functions, slots).await;
            built.map_err(|source| Failure::Build { function, source: Arc::new(source) })
        }
    };
    try_join_all(builds.into_iter().map(run)).await.map(drop)
}

/// The names of the functions that a build makes, for the log.
pub(crate) fn label(functions: &[FunctionSource], build: &Build) -> String {
    let made = functions.iter().filter(|function| function.build.as_ref() == Some(build));
    made.map(|function| function.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Publishes one function of a configuration. Returns whether that changed anything, and logs it then.
pub(crate) async fn publish_source(runtime: &Runtime, function: &FunctionSource) -> Result<bool, Failure> {
    let FunctionSource { name, source: path, config, .. } = function;
    let published = publish_file(runtime, name, path, config.clone(), None)
        .await
        .map_err(|source| Failure::Publish { function: name.clone(), path: path.clone(), source: Box::new(source) })?;
    if published.changed {
        let info = published.info;
        tracing::info!(function = %name, version = info.version, digest = %info.digest, "published");
    }
    Ok(published.changed)
}
