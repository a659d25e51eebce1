//! What the routes share.

use std::{error::Error, sync::Arc};

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use nebula_http::FileBacked;
use nebula_runtime::{ByteSize, Runtime, Services};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    changes::Changes,
    passage::{Receiver, Sender, pass_on},
    problem::{Kind, Problem},
    recent::RecentInvocations,
    tokens::{TokenFile, TokenFileError, Tokens},
    upload::{UploadLimits, receive},
};

/// The tokens of the server, or why they cannot be used.
pub(crate) type ReadTokens = Result<Tokens, TokenFileError>;

/// What the routes share.
pub(crate) struct State {
    pub(super) runtime: Arc<Runtime>,
    file: TokenFile,
    tokens: FileBacked<ReadTokens>,
    uploads: UploadLimits,
    places: Arc<Semaphore>,
    pub(super) changes: Changes,
    /// What functions keep their state in.
    pub(super) services: Services,
    pub(super) recent: RecentInvocations,
    blob_places: Arc<Semaphore>,
}

/// How many blobs are written at once. Each may need the memory of a part (8 MiB). More wait, unread.
const BLOBS: usize = 16;

/// How many uploads are in memory at once. More wait, unread.
const UPLOADS: usize = 4;

/// The largest body that is not an upload.
const SMALL: ByteSize = ByteSize::kib(64);

impl State {
    pub(crate) fn new(
        runtime: Arc<Runtime>,
        file: TokenFile,
        tokens: FileBacked<ReadTokens>,
        uploads: UploadLimits,
        (changes, services, recent): (Changes, Services, RecentInvocations),
    ) -> Self {
        let [places, blob_places] = [UPLOADS, BLOBS].map(|places| Arc::new(Semaphore::new(places)));
        Self { runtime, file, tokens, uploads, places, changes, services, recent, blob_places }
    }

    /// The tokens as the file has them now.
    pub(super) fn tokens(&self) -> Arc<ReadTokens> {
        self.tokens.current(|_| Arc::new(read_tokens(&self.file)))
    }

    /// Receives an upload. It counts as one until the permit is dropped.
    pub(super) async fn upload(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
        let place = place(&self.places).await?;
        Ok((receive(headers, body, self.uploads).await?, place))
    }

    /// Passes an upload on as it comes. It counts as one until the permit is dropped.
    pub(super) async fn blob_upload(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Sender, Receiver, OwnedSemaphorePermit), Problem> {
        let place = place(&self.blob_places).await?;
        let (sender, receiver) = pass_on(headers, body, self.uploads)?;
        Ok((sender, receiver, place))
    }

    /// Receives a small body.
    pub(super) async fn small_body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
        receive(headers, body, self.uploads.of_size(SMALL)).await
    }
}

async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    let place = Arc::clone(places).acquire_owned().await;
    // The semaphore is never closed.
    place.map_err(|_| Problem::new(Kind::Unavailable, "the server is shutting down"))
}

/// Reads the tokens. The log says if that fails.
pub(crate) fn read_tokens(file: &TokenFile) -> ReadTokens {
    let path = file.path().display();
    file.read().inspect_err(|error| {
        let error = error as &dyn Error;
        tracing::error!(file = %path, error, "the admin API lets nobody in: its tokens cannot be used");
    })
}
