//! The names of the blobs of a container, as a guest reads them.

use std::pin::Pin;

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{BoxStream, Peekable},
};

use crate::host::failure::ServiceError;

/// The names of the blobs of a container, as a guest reads them. They are read from the service when the guest asks for
/// them.
pub(in crate::host) struct Listing(Peekable<BoxStream<'static, Result<String, ServiceError>>>);

/// The most names that are read at once.
const MOST: usize = 10_000;

impl Listing {
    pub(super) fn new(names: BoxStream<'static, Result<String, ServiceError>>) -> Self {
        Self(names.peekable())
    }

    /// Reads the first name.
    pub(super) async fn start(&mut self) -> Result<(), ServiceError> {
        self.is_ended().await.map(drop)
    }

    /// The next names, at most so many, and whether they are the last ones.
    pub(super) async fn read(&mut self, most: usize) -> Result<(Vec<String>, bool), ServiceError> {
        let names = (&mut self.0).take(most.min(MOST)).try_collect().await?;
        Ok((names, self.is_ended().await?))
    }

    /// Whether there are no more names.
    async fn is_ended(&mut self) -> Result<bool, ServiceError> {
        let mut names = Pin::new(&mut self.0);
        match names.as_mut().peek().await {
            None => Ok(true),
            Some(Ok(_)) => Ok(false),
            // The error is taken out of the listing, which goes on behind it or ends.
            Some(Err(_)) => names.next().await.transpose().map(|name| name.is_none()),
        }
    }
}
