//! The connection of a backend to its service: made at the first operation, shared by all, and made again after a loss.

use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::time::timeout;

use super::messages::UNREACHABLE;
use crate::{host::failure::ServiceError, sync::lock};

/// Connects to a service.
#[async_trait]
pub(super) trait Connect: Send + Sync + 'static {
    /// A connection that many operations use at once.
    type Connection: Clone + Send + Sync + 'static;

    async fn connect(&self) -> Result<Self::Connection, NotConnected>;

    /// Whether a connection still works that nothing was heard of for the time `silent`.
    async fn is_open(connection: &Self::Connection, silent: Duration) -> bool;
}

/// Why there is no connection. All that waited for it share the error.
#[derive(Debug, Clone)]
pub(super) struct NotConnected {
    pub(super) detail: &'static str,
    pub(super) cause: Arc<dyn Error + Send + Sync>,
}

/// The connection of a backend, if there is one.
pub(super) struct Connection<C: Connect> {
    connect: Arc<C>,
    attempt: Mutex<Option<Attempt<C::Connection>>>,
}

/// A connection, or the attempt to make one.
type Attempt<T> = Shared<BoxFuture<'static, Result<Arc<Link<T>>, NotConnected>>>;

struct Link<T> {
    connection: T,
    /// When an answer came last.
    heard: Mutex<Heard>,
}

/// When an answer came. The time that a process is frozen, as between two calls on AWS Lambda, is only on the second
/// clock, and jumps only on that.
#[derive(Clone, Copy)]
struct Heard {
    at: Instant,
    wall: SystemTime,
}

/// An operation that uses the connection. One that is dropped without an answer, after a while in which no other
/// operation had one either, lets go of the connection: the next operation makes another one. Otherwise a service that
/// went away without a word would be waited for until the system gives up the connection, which takes minutes.
pub(super) struct Operation<'a, C: Connect> {
    owner: &'a Connection<C>,
    link: Arc<Link<C::Connection>>,
    began: Instant,
    is_answered: bool,
}

/// How long it may take to connect, with TLS and credentials.
const CONNECT: Duration = Duration::from_secs(4);

/// After this time without any answer, an operation that is given up lets go of the connection.
const PATIENCE: Duration = Duration::from_secs(1);

impl<C: Connect> Connection<C> {
    pub(super) fn new(connect: C) -> Self {
        Self { connect: Arc::new(connect), attempt: Mutex::new(None) }
    }

    /// Begins an operation. Connects before it, if there is no connection.
    pub(super) async fn begin(&self) -> Result<Operation<'_, C>, ServiceError> {
        let mut link = self.attempt().await?;
        let silent = lock(&link.heard).elapsed();
        if !C::is_open(&link.connection, silent).await {
            self.forget(&link);
            link = self.attempt().await?;
        }
        Ok(Operation { owner: self, link, began: Instant::now(), is_answered: false })
    }

    /// The connection, or the result of the attempt to make one. All callers wait for the same attempt, which goes on
    /// also when they leave.
    async fn attempt(&self) -> Result<Arc<Link<C::Connection>>, ServiceError> {
        let attempt = lock(&self.attempt).get_or_insert_with(|| start(Arc::clone(&self.connect))).clone();
        let connected = attempt.clone().await;
        if connected.is_err() {
            let mut current = lock(&self.attempt);
            // Another caller may have begun the next attempt already.
            if current.as_ref().is_some_and(|current| current.ptr_eq(&attempt)) {
                *current = None;
            }
        }
        connected.map_err(|NotConnected { detail, cause }| ServiceError::unavailable(detail, cause))
    }

    /// Lets go of a connection. Operations that use it go on.
    fn forget(&self, lost: &Arc<Link<C::Connection>>) {
        let mut current = lock(&self.attempt);
        let link = current.as_ref().and_then(Shared::peek).and_then(|connected| connected.as_ref().ok());
        if link.is_some_and(|link| Arc::ptr_eq(link, lost)) {
            *current = None;
        }
    }
}

impl Heard {
    fn now() -> Self {
        Self { at: Instant::now(), wall: SystemTime::now() }
    }

    fn elapsed(self) -> Duration {
        self.at.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

/// Begins to connect, in a task of its own.
fn start<C: Connect>(connect: Arc<C>) -> Attempt<C::Connection> {
    let attempt = tokio::spawn(async move {
        let late = |elapsed| NotConnected { detail: UNREACHABLE, cause: Arc::new(elapsed) };
        let connection = timeout(CONNECT, connect.connect()).await.map_err(late)??;
        Ok(Arc::new(Link { connection, heard: Mutex::new(Heard::now()) }))
    });
    let ended = |error| NotConnected { detail: UNREACHABLE, cause: Arc::new(error) };
    attempt.map(move |result| result.map_err(ended)?).boxed().shared()
}

impl<C: Connect> Operation<'_, C> {
    pub(super) fn connection(&self) -> C::Connection {
        self.link.connection.clone()
    }

    /// Ends the operation. `is_lost` says whether its connection is of no use any more.
    pub(super) fn end(mut self, is_lost: bool) {
        self.is_answered = true;
        match is_lost {
            true => self.owner.forget(&self.link),
            false => *lock(&self.link.heard) = Heard::now(),
        }
    }
}

impl<C: Connect> Drop for Operation<'_, C> {
    fn drop(&mut self) {
        let is_silent = || lock(&self.link.heard).at < self.began && self.began.elapsed() > PATIENCE;
        if !self.is_answered && is_silent() {
            self.owner.forget(&self.link);
        }
    }
}
