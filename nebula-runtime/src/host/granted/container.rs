//! A container of blobs as a function is granted it.

use std::sync::{Arc, Mutex};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, future::BoxFuture, stream, stream::BoxStream};
use tokio::{
    sync::Semaphore,
    time::{Duration, Instant},
};

use super::{
    listing::Listing,
    operations::{Operations, end_span},
    prefixed::prefixed,
    room::{Reservation, Room},
};
use crate::{
    call::Caller,
    function::ServiceGrant,
    host::{
        blobs::{BlobContent, BlobInfo, BlobRange, BlobStream, Blobs, MAX_NAME},
        failure::{ServiceError, ServiceErrorKind},
    },
    sync::lock,
};

/// A container of blobs as a function is granted it. All instances share it.
pub(in crate::host) struct GrantedContainer {
    blobs: Arc<dyn Blobs>,
    grant: ServiceGrant,
    room: Room,
    operations: Operations,
    uploads: Semaphore,
}

/// How many blobs of one function are written to one container at once: each may need the memory of a part (8 MiB).
/// Others wait.
const UPLOADS: usize = 32;

/// The most names of one call for several.
const MANY: usize = 10_000;

/// How many blobs are deleted at once for one call.
const DELETED_AT_ONCE: usize = 16;

impl GrantedContainer {
    pub(in crate::host) fn new(blobs: Arc<dyn Blobs>, grant: ServiceGrant) -> Self {
        let (room, operations) = (Room::of(&grant), Operations::of(&grant.service));
        Self { blobs, grant, room, operations, uploads: Semaphore::new(UPLOADS) }
    }
}

/// A container that one instance has opened. It checks names and limits, and notes each operation in the report of the
/// invocation that the instance serves.
#[derive(Clone)]
pub(in crate::host) struct Container {
    granted: Arc<GrantedContainer>,
}

impl Container {
    pub(in crate::host) fn new(granted: Arc<GrantedContainer>) -> Self {
        Self { granted }
    }

    /// The bytes of a blob, if it is there. The time of reading them is noted too.
    pub(in crate::host) async fn get(
        &self,
        caller: &Caller,
        name: &str,
        range: BlobRange,
    ) -> Result<Option<BlobContent>, ServiceError> {
        let name = self.name(name)?;
        let found = self.operation(caller, "get", self.blobs().get(&name, range)).await?;
        Ok(found.map(|found| BlobContent { bytes: self.noted(caller, found.bytes), ..found }))
    }

    /// Writes a blob, which appears at the end of `content`. The caller notes the operation (`note_put`): it knows how
    /// long the guest has waited.
    ///
    /// # Errors
    /// The guest may not write this blob.
    pub(in crate::host) fn put(
        &self,
        caller: &Caller,
        name: &str,
        content: BlobStream,
    ) -> Result<BoxFuture<'static, Result<u64, ServiceError>>, ServiceError> {
        self.check_write()?;
        let (container, name) = (self.clone(), self.name(name)?);
        let putting = async move {
            // The semaphore is never closed.
            let _place = container.granted.uploads.acquire().await;
            let reservation = container.reserve(&name).await?;
            container.put_within(reservation, &name, content).await
        };
        let (span, trace) = self.granted.operations.begin(caller, "put");
        let put = async move {
            let put = putting.await;
            end_span(span, put.as_ref().err());
            put
        };
        Ok(trace.scope(put).boxed())
    }

    /// Notes that a blob was written, or could not be, and that the guest has waited so long for it.
    pub(in crate::host) fn note_put(&self, caller: &Caller, waited: Duration, error: Option<&ServiceError>) {
        self.granted.operations.note(caller, waited, error);
    }

    pub(in crate::host) async fn info(&self, caller: &Caller, name: &str) -> Result<Option<BlobInfo>, ServiceError> {
        let key = self.name(name)?;
        let info = self.operation(caller, "info", self.blobs().info(&key)).await?;
        Ok(info.map(|info| BlobInfo { name: name.to_owned(), ..info }))
    }

    pub(in crate::host) async fn delete(&self, caller: &Caller, names: &[String]) -> Result<(), ServiceError> {
        self.check_write()?;
        if names.len() > MANY {
            let detail = format!("one call may name {MANY} blobs, and this one names {}", names.len());
            return Err(ServiceError::new(ServiceErrorKind::LimitExceeded, detail));
        }
        let names = names.iter().map(|name| self.name(name)).collect::<Result<Vec<_>, _>>()?;
        self.delete_each(caller, stream::iter(names).map(Ok).boxed()).await
    }

    /// Deletes all blobs.
    pub(in crate::host) async fn clear(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.check_write()?;
        let names = self.blobs().list(&self.granted.grant.prefix).map_ok(|info| info.name);
        self.delete_each(caller, names.boxed()).await
    }

    /// The names of the blobs.
    pub(in crate::host) async fn list(&self, caller: &Caller) -> Result<Listing, ServiceError> {
        let prefix = self.granted.grant.prefix.clone();
        let infos = self.blobs().list(&prefix);
        let names = infos.map_ok(move |info| info.name.get(prefix.len()..).unwrap_or_default().to_owned());
        let mut listing = Listing::new(names.boxed());
        self.operation(caller, "list", listing.start()).await?;
        Ok(listing)
    }

    /// The next names of a listing, at most so many, and whether they are the last ones.
    pub(in crate::host) async fn read(
        &self,
        caller: &Caller,
        listing: &mut Listing,
        most: usize,
    ) -> Result<(Vec<String>, bool), ServiceError> {
        self.operation(caller, "list", listing.read(most)).await
    }

    /// Copies the blob `name` of `source` into this container. Returns whether it is there.
    pub(in crate::host) async fn copy(
        &self,
        caller: &Caller,
        source: &Self,
        name: &str,
        to: &str,
    ) -> Result<bool, ServiceError> {
        self.check_write()?;
        let (from, to) = (source.name(name)?, self.name(to)?);
        self.operation(caller, "copy", self.copied(source, &from, &to)).await
    }

    /// Whether both are the same blob.
    pub(in crate::host) fn is_same(&self, name: &str, other: &Self, other_name: &str) -> bool {
        let (grant, other_grant) = (&self.granted.grant, &other.granted.grant);
        let key = |grant: &ServiceGrant, name: &str| format!("{}{name}", grant.prefix);
        grant.service == other_grant.service && key(grant, name) == key(other_grant, other_name)
    }

    fn blobs(&self) -> &dyn Blobs {
        &*self.granted.blobs
    }

    async fn operation<T>(
        &self,
        caller: &Caller,
        name: &'static str,
        operation: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        self.granted.operations.run(caller, name, operation).await
    }

    async fn reserve(&self, name: &str) -> Result<Reservation, ServiceError> {
        self.granted.room.reserve(self.blobs(), &self.granted.grant.prefix, name).await
    }

    /// Writes a blob as far as there is room for it.
    async fn put_within(&self, room: Reservation, name: &str, content: BlobStream) -> Result<u64, ServiceError> {
        let room = Arc::new(Mutex::new(room));
        let limited = stream::try_unfold((content, 0, self.clone(), Arc::clone(&room)), async |state| {
            let (mut content, size, container, room) = state;
            let Some(piece) = content.next().await.transpose()? else { return Ok(None) };
            let size: u64 = size + piece.len() as u64;
            container.check_size(size)?;
            lock(&room).take(piece.len() as u64)?;
            Ok(Some((piece, (content, size, container, room))))
        });
        let size = self.blobs().put(name, limited.boxed()).await?;
        lock(&room).keep();
        Ok(size)
    }

    async fn copied(&self, source: &Self, from: &str, to: &str) -> Result<bool, ServiceError> {
        let Some(BlobInfo { size, .. }) = source.blobs().info(from).await? else { return Ok(false) };
        let is_one_service = self.granted.grant.service == source.granted.grant.service;
        if is_one_service && from == to {
            return Ok(true);
        }
        self.check_size(size)?;
        let mut reservation = self.reserve(to).await?;
        reservation.take(size)?;
        if is_one_service {
            if !self.blobs().copy(from, to).await? {
                return Ok(false);
            }
        } else {
            let Some(content) = source.blobs().get(from, BlobRange::ALL).await? else { return Ok(false) };
            self.blobs().put(to, content.bytes).await?;
        }
        reservation.keep();
        Ok(true)
    }

    async fn delete_each(
        &self,
        caller: &Caller,
        names: BoxStream<'_, Result<String, ServiceError>>,
    ) -> Result<(), ServiceError> {
        let delete = async |name: String| self.blobs().delete(&name).await;
        let deleted = self.operation(caller, "delete", names.try_for_each_concurrent(DELETED_AT_ONCE, delete)).await;
        self.granted.room.forget();
        deleted
    }

    /// The bytes of a blob, which note the time that they take.
    fn noted(&self, caller: &Caller, bytes: BlobStream) -> BlobStream {
        let (granted, caller) = (Arc::clone(&self.granted), caller.clone());
        let noted = stream::unfold((bytes, granted, caller), async |(mut bytes, granted, caller)| {
            let began = Instant::now();
            let next = bytes.next().await?;
            granted.operations.note_more(&caller, began.elapsed(), next.as_ref().err());
            Some((next, (bytes, granted, caller)))
        });
        noted.boxed()
    }

    /// The name as the service knows it.
    fn name(&self, name: &str) -> Result<String, ServiceError> {
        prefixed(&self.granted.grant.prefix, name, "the name of a blob", MAX_NAME)
    }

    fn check_write(&self) -> Result<(), ServiceError> {
        if self.granted.grant.readonly {
            return Err(ServiceError::new(ServiceErrorKind::Denied, "the container is granted for reading only"));
        }
        Ok(())
    }

    fn check_size(&self, size: u64) -> Result<(), ServiceError> {
        match self.granted.grant.max_value.map(|most| most.as_u64()) {
            Some(most) if size > most => {
                let detail = format!("a blob may have {most} bytes, which is the container's max_value");
                Err(ServiceError::new(ServiceErrorKind::LimitExceeded, detail))
            }
            _ => Ok(()),
        }
    }
}
