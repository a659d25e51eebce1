//! A catalog whose answers are bounded in time and number.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use nebula_runtime::{Catalog, ErrorKind, FunctionName, HeldBack, InvokeError, ListedFunction};
use tokio::{
    sync::Semaphore,
    task::JoinError,
    time::{error::Elapsed, timeout},
};

/// How long a list waits for the store before the store counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a readiness check waits for the store. It is shorter, so that the client has its answer within two seconds.
const READY_WITHIN: Duration = Duration::from_millis(1_500);

/// How many requests can list the names at once.
const LISTS: usize = 8;

/// A catalog whose answers are bounded in time and number.
///
/// - Every answer, and every further function of a list, comes within two seconds or is an error.
/// - A store that hangs blocks only a few threads: a question keeps its place until it is answered, also after its
///   caller has given up.
#[derive(Clone)]
pub(crate) struct BoundedCatalog {
    catalog: Arc<dyn Catalog>,
    readiness: Throttle,
    lists: Throttle,
}

/// The bounds of one kind of question: how many run at once, and how long their callers wait.
#[derive(Clone)]
struct Throttle {
    places: Arc<Semaphore>,
    patience: Duration,
}

impl BoundedCatalog {
    /// The answers of `catalog`, within these bounds.
    pub(crate) fn new(catalog: Arc<dyn Catalog>) -> Self {
        Self { catalog, readiness: Throttle::new(1, READY_WITHIN), lists: Throttle::new(LISTS, PATIENCE) }
    }

    /// Whether functions can be read now.
    pub(crate) async fn ready(&self) -> Result<(), InvokeError> {
        let catalog = Arc::clone(&self.catalog);
        self.readiness.ask(async move { catalog.ready().await.map_err(InvokeError::from) }).await
    }

    /// What this server does not follow.
    pub(crate) fn held_back(&self) -> Vec<HeldBack> {
        self.catalog.held_back()
    }

    /// The names of all functions.
    pub(crate) async fn names(&self) -> Result<Vec<FunctionName>, InvokeError> {
        let catalog = Arc::clone(&self.catalog);
        self.lists.ask(async move { catalog.names().await.map_err(InvokeError::from) }).await
    }

    /// The functions with these names. Functions that cannot be read are also logged.
    pub(crate) async fn list(&self, names: Vec<FunctionName>) -> Result<Vec<ListedFunction>, InvokeError> {
        let (mut listed, mut functions) = (self.catalog.list(names), Vec::new());
        while let Some(function) = timeout(self.lists.patience, listed.next()).await.map_err(late)? {
            if let Err(unreadable) = &function {
                let error = unreadable as &dyn std::error::Error;
                tracing::warn!(error, "a function cannot be read, and is listed with its name only");
            }
            functions.push(function);
        }
        Ok(functions)
    }
}

impl Throttle {
    fn new(places: usize, patience: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), patience }
    }

    /// Waits for a place, and asks in a task that keeps the place until there is an answer.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, InvokeError>> + Send + 'static,
    ) -> Result<T, InvokeError> {
        let places = Arc::clone(&self.places);
        let asked = async move {
            // The semaphore is never closed.
            let place = places.acquire_owned().await;
            let answer = tokio::spawn(async move {
                let _place = place;
                question.await
            });
            answer.await.unwrap_or_else(|stopped| Err(interrupted(stopped)))
        };
        timeout(self.patience, asked).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
    }
}

fn late(elapsed: Elapsed) -> InvokeError {
    InvokeError::new(ErrorKind::Unavailable, "the store does not answer").with_source(elapsed)
}

fn interrupted(stopped: JoinError) -> InvokeError {
    InvokeError::new(ErrorKind::Internal, "the question to the store was interrupted").with_source(stopped)
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use async_trait::async_trait;
    use nebula_runtime::{FunctionInfo, FunctionRef, RegistryError};

    use super::*;

    /// A catalog that never answers, and counts the questions.
    #[derive(Default)]
    struct Hanging(AtomicUsize);

    impl Hanging {
        async fn hang<T>(&self) -> T {
            self.0.fetch_add(1, Relaxed);
            pending().await
        }
    }

    #[async_trait]
    impl Catalog for Hanging {
        async fn ready(&self) -> Result<(), RegistryError> {
            self.hang().await
        }

        async fn names(&self) -> Result<Vec<FunctionName>, RegistryError> {
            self.hang().await
        }

        async fn function(&self, _: &FunctionRef) -> Result<FunctionInfo, RegistryError> {
            self.hang().await
        }
    }

    #[tokio::test]
    async fn a_catalog_that_hangs_is_an_error_and_has_few_open_questions() {
        const SOON: Duration = Duration::from_millis(1);

        let catalog = Arc::new(Hanging::default());
        let (readiness, lists) = (Throttle::new(1, SOON), Throttle::new(2, SOON));
        let published = BoundedCatalog { catalog: Arc::clone(&catalog) as _, readiness, lists };
        let told = |error: InvokeError| (error.kind(), error.detail().to_owned());
        let expected = Err((ErrorKind::Unavailable, "the store does not answer".to_owned()));
        for _ in 0..4 {
            assert_eq!(published.ready().await.map_err(told), expected);
        }
        assert_eq!(catalog.0.load(Relaxed), 1);
        for _ in 0..4 {
            assert_eq!(published.names().await.map(drop).map_err(told), expected);
        }
        assert_eq!(catalog.0.load(Relaxed), 3);
        assert_eq!(published.list(vec!["treats".parse().unwrap()]).await.map(drop).map_err(told), expected);
    }
}
