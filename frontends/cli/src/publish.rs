//! Publishing functions from files and registries.

use std::{collections::BTreeMap, env, fs, future::IntoFuture as _, path::Path, pin::pin, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, future::try_join_all};
use nebula_runtime::{AliasName, FunctionConfig, FunctionName, Published, Runtime};

use crate::{
    build::{Build, Slots},
    config::{Config, FunctionSource},
    failure::Failure,
    fetch::{Fetched, fetch, fetch_all},
    oci::Pulled,
    print,
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

/// Publishes every function of a configuration, one after another, and logs those that changed. Files that do not exist are
/// built first. Artifacts are pulled several at once.
///
/// # Errors
/// Why the first function failed that cannot be built or published. Those before it are published.
pub(crate) async fn publish_all(runtime: &Runtime, config: &Config) -> Result<(), Failure> {
    build_missing(&config.functions).await?;
    let mut sources = pin!(fetch_all(runtime.store(), &config.functions));
    for function in &config.functions {
        let source = while_working(format!("pulling {}", function.source), sources.next()).await;
        let Some(source) = source else { break };
        publish_fetched(runtime, function, source).await?;
    }
    Ok(())
}

/// Whether there is a file to build.
pub(crate) fn is_build_missing(functions: &[FunctionSource]) -> bool {
    functions.iter().any(|function| function.build.is_some() && function.source.is_missing())
}

/// Builds the files that do not exist and have a build command, all at once. When one command fails, the others are ended.
pub(crate) async fn build_missing(functions: &[FunctionSource]) -> Result<(), Failure> {
    let missing = functions.iter().filter(|function| function.source.is_missing());
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

/// Publishes one function of a configuration. Returns whether that changed anything, and logs it then. Of a registry that
/// does not answer, the function stays as it is in the store.
pub(crate) async fn publish_source(runtime: &Runtime, function: &FunctionSource) -> Result<bool, Failure> {
    let source = while_working(format!("pulling {}", function.source), fetch(runtime.store(), function)).await;
    publish_fetched(runtime, function, source).await
}

async fn publish_fetched(
    runtime: &Runtime,
    function: &FunctionSource,
    fetched: Result<Fetched, Failure>,
) -> Result<bool, Failure> {
    let FunctionSource { name, source, config, .. } = function;
    let published = match fetched {
        Ok(Fetched::File(path)) => publish_file(runtime, name, &path, config.clone(), None).await,
        Ok(Fetched::Known(module, origin)) => {
            let publication = runtime.publish(name, module).config(config.clone()).origin(origin).by(publisher());
            publication.await.map_err(Failure::from)
        }
        Ok(Fetched::Pulled(pulled)) => publish_pulled(runtime, name, &pulled, config.clone(), None).await,
        Err(Failure::Oci(error)) if error.is_unreachable() => {
            let reason = print::chain(&error);
            tracing::warn!(function = %name, "{name} stays as it is in the store: {reason}");
            return Ok(false);
        }
        Err(error) => Err(error),
    };
    let published = published.map_err(|error| Failure::Publish {
        function: name.clone(),
        from: source.clone(),
        source: Box::new(error),
    })?;
    if published.changed {
        let info = published.info;
        tracing::info!(function = %name, version = info.version, digest = %info.digest, "published");
    }
    Ok(published.changed)
}

/// Publishes an artifact that was pulled. The signatures in the registry go with it where they are of the same manifest.
///
/// # Errors
/// Signatures are required, and none of those in the registry counts; and as a publish fails.
pub(crate) async fn publish_pulled(
    runtime: &Runtime,
    name: &FunctionName,
    pulled: &Pulled,
    config: FunctionConfig,
    alias: Option<&AliasName>,
) -> Result<Published, Failure> {
    let origin = pulled.origin(name, runtime.trust())?;
    let image = pulled.image_for(&config)?;
    let publication = runtime.publish(name, pulled.module.clone()).config(config).image(image).alias(alias.cloned());
    let publication = publication.by(publisher()).origin(origin);
    let published = while_working(format!("compiling {}", pulled.reference), publication.into_future()).await?;
    let (store, number) = (runtime.store(), published.info.version);
    let record = store.record(name).await?.unwrap_or_default();
    if record.version(number).is_some_and(|(_, entry)| entry.manifest == pulled.digest) {
        for signature in pulled.signatures_for(name, runtime.trust()) {
            store.add_signature(name, (number, pulled.digest), signature).await?;
        }
    }
    Ok(published)
}
