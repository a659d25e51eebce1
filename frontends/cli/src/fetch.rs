//! Fetches what functions are published from, from several registries at once.

use std::{future::ready, panic::resume_unwind, path::PathBuf};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use nebula_runtime::{Origin, Store};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    config::FunctionSource,
    failure::Failure,
    oci::{OciReference, Pulled, Resolved, pull, resolve},
    source::Source,
};

/// How many artifacts are pulled at once, or wait in memory until they are published.
const AT_ONCE: usize = 8;

/// What a function is published from.
pub(crate) enum Fetched {
    /// A file, which is not read yet.
    File(PathBuf),
    /// The module of the latest version, which is made of this artifact already.
    Known(Bytes, Origin),
    /// An artifact that was pulled.
    Pulled(Pulled),
}

/// Fetches the sources of these functions, several at once. The results come in the order of the functions.
pub(crate) fn fetch_all(
    store: &Store,
    functions: &[FunctionSource],
) -> impl Stream<Item = Result<Fetched, Failure>> + use<> {
    let (store, functions) = (store.clone(), functions.to_vec());
    // Each has a task of its own: it goes on while the module before it is compiled.
    let tasks = functions.into_iter().map(move |function| {
        let store = store.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { fetch(&store, &function).await }))
    });
    stream::iter(tasks).buffered(AT_ONCE).filter_map(|joined| ready(joined.map_or_else(resume_panic, Some)))
}

/// Passes on the panic of a task. A task that was cancelled has no result.
fn resume_panic<T>(failure: JoinError) -> Option<T> {
    match failure.try_into_panic() {
        Ok(reason) => resume_unwind(reason),
        Err(_) => None,
    }
}

/// Fetches the source of a function. An artifact is pulled only if the latest version is not made of it.
pub(crate) async fn fetch(store: &Store, function: &FunctionSource) -> Result<Fetched, Failure> {
    let reference = match &function.source {
        Source::File(path) => return Ok(Fetched::File(path.clone())),
        Source::Registry(reference) => reference,
    };
    match known(store, function, reference).await? {
        Some((module, origin)) => Ok(Fetched::Known(module, origin)),
        None => Ok(Fetched::Pulled(pull(reference).await?)),
    }
}

/// The module of the latest version, and where it came from, if it is made of this artifact. The manifest says so, and not
/// the record alone: an origin is only the word of a publisher. A linked component has another module than its artifact.
async fn known(
    store: &Store,
    function: &FunctionSource,
    reference: &OciReference,
) -> Result<Option<(Bytes, Origin)>, Failure> {
    let record = store.record(&function.name).await?;
    let latest = record.as_ref().and_then(|record| record.latest()).map(|(_, entry)| entry);
    let Some((module, origin)) = latest.and_then(|entry| Some((entry.module, entry.origin.clone()?))) else {
        return Ok(None);
    };
    if !function.config.imports.is_empty() || reference.digest().is_some_and(|digest| digest != origin.digest) {
        return Ok(None);
    }
    if resolve(reference).await? != (Resolved { manifest: origin.digest, module }) {
        return Ok(None);
    }
    Ok(store.module(&module).await.ok().map(|module| (module, origin)))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use axum::{Router, extract::Request};
    use http::StatusCode;
    use nebula_runtime::FunctionConfig;
    use tokio::{net::TcpListener, sync::Barrier, time::timeout};

    use super::*;

    /// A registry that answers once so many requests wait for an answer. What is asked for is not there.
    async fn answers_together(requests: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, barrier) = (listener.local_addr().unwrap(), Arc::new(Barrier::new(requests)));
        let app = Router::new().fallback(move |_: Request| async move {
            barrier.wait().await;
            StatusCode::NOT_FOUND
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("oci://{address}")
    }

    #[tokio::test]
    async fn artifacts_are_pulled_several_at_once_and_come_in_the_order_of_the_functions() {
        let registry = answers_together(AT_ONCE).await;
        let references: Vec<_> = (0..2 * AT_ONCE).map(|number| format!("{registry}/shop:{number}")).collect();
        let function = |reference: &String| FunctionSource {
            name: "shop".parse().unwrap(),
            source: Source::Registry(reference.parse().unwrap()),
            build: None,
            config: FunctionConfig::default(),
        };
        let functions: Vec<_> = references.iter().map(function).collect();
        let fetched = fetch_all(&Store::memory(), &functions).collect::<Vec<_>>();
        let fetched = timeout(Duration::from_secs(60), fetched).await.expect("they are pulled one after another");
        let failures: Vec<_> = fetched.into_iter().map(|fetched| fetched.err().unwrap().to_string()).collect();
        let address = registry.trim_start_matches("oci://");
        let missing = |reference| format!("failed to pull {reference}: there is none in registry {address}");
        assert_eq!(failures, references.iter().map(missing).collect::<Vec<_>>());
    }
}
