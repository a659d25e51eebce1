//! A blob that a guest reads.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};

use super::interface::{HostStore, Returned};
use crate::{
    engine::Host,
    host::{
        blobs::{BlobContent, BlobStream},
        failure::ServiceError,
        system::System,
    },
};

/// The resource `incoming-value`: a blob that a guest reads.
pub(super) struct Incoming {
    pub(super) content: BlobContent,
    pub(super) place: OwnedSemaphorePermit,
}

/// The most bytes that the host reads at once, for a guest that does not read a stream.
const WHOLE: u64 = 64 << 20;

type Handle = Resource<Incoming>;

/// Adds the resource.
pub(super) fn link(types: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    types.resource("incoming-value", ResourceType::host::<Incoming>(), |mut host, index| {
        host.data_mut().wasi.table().delete(Resource::<Incoming>::new_own(index))?;
        Ok(())
    })?;
    types.func_wrap_async(
        "[static]incoming-value.incoming-value-consume-sync",
        |host: HostStore<'_>, (value,): (Handle,)| Box::new(consume_whole(host, value)),
    )?;
    types.func_wrap("[static]incoming-value.incoming-value-consume-async", consume_as_stream)?;
    types.func_wrap("[method]incoming-value.size", |mut host: HostStore<'_>, (value,): (Handle,)| {
        Ok((host.data_mut().wasi.table().get(&value)?.content.size,))
    })
}

/// All bytes at once, as far as the guest could have room for them.
async fn consume_whole(mut host: HostStore<'_>, value: Handle) -> Returned<Vec<u8>> {
    let Incoming { content: BlobContent { size, bytes }, place: _place } =
        host.data_mut().wasi.table().delete(value)?;
    let most = WHOLE.min(host.data().limiter.max_memory());
    if size > most {
        return Ok((Err(format!(
            "the value has {size} bytes, and at most {most} are read at once; read it as a stream \
             (incoming-value-consume-async)"
        )),));
    }
    let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    let read: Result<(), ServiceError> = bytes
        .try_for_each(|piece| {
            whole.extend_from_slice(&piece);
            std::future::ready(Ok(()))
        })
        .await;
    Ok((read.map(|()| whole).map_err(|error| error.to_string()),))
}

fn consume_as_stream(mut host: HostStore<'_>, (value,): (Handle,)) -> Returned<Resource<DynInputStream>> {
    let table = host.data_mut().wasi.table();
    let Incoming { content, place } = table.delete(value)?;
    let reading = Reading { bytes: Some(content.bytes), ready: None, _place: place };
    let stream: DynInputStream = Box::new(reading);
    Ok((Ok(table.push(stream)?),))
}

/// The bytes of a blob as a stream of `wasi:io`. They are read from the service when the guest waits for them.
struct Reading {
    /// Nothing after the end.
    bytes: Option<BlobStream>,
    /// What was read, and the guest has not taken yet.
    ready: Option<Result<Bytes, ServiceError>>,
    _place: OwnedSemaphorePermit,
}

#[async_trait]
impl Pollable for Reading {
    async fn ready(&mut self) {
        while let (None, Some(bytes)) = (&self.ready, &mut self.bytes) {
            match bytes.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(piece) => self.ready = Some(piece),
                None => self.bytes = None,
            }
        }
    }
}

#[async_trait]
impl InputStream for Reading {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        // A guest that does not wait shall get on too.
        let _ = self.ready().now_or_never();
        match self.ready.take() {
            Some(Ok(mut piece)) => {
                let rest = piece.split_off(size.min(piece.len()));
                self.ready = Some(rest).filter(|rest| !rest.is_empty()).map(Ok);
                Ok(piece)
            }
            Some(Err(error)) => {
                self.bytes = None;
                // Without its causes, which name addresses.
                Err(StreamError::LastOperationFailed(wasmtime::Error::msg(error.to_string())))
            }
            None if self.bytes.is_none() => Err(StreamError::Closed),
            None => Ok(Bytes::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::host::failure::ServiceErrorKind;

    async fn reading(pieces: Vec<Result<Bytes, ServiceError>>) -> Reading {
        let place = std::sync::Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        Reading { bytes: Some(stream::iter(pieces).boxed()), ready: None, _place: place }
    }

    #[tokio::test]
    async fn a_guest_reads_pieces_of_the_size_that_it_asks_for_and_then_the_end() {
        let mut reading = reading(vec![Ok("abc".into()), Ok(Bytes::new()), Ok("d".into())]).await;
        let mut read = Vec::new();
        while let Ok(piece) = reading.blocking_read(2).await {
            read.push(piece);
        }
        assert_eq!(read, ["ab", "c", "d"]);
        assert!(matches!(reading.read(1), Err(StreamError::Closed)));
    }

    #[tokio::test]
    async fn an_error_is_told_once_without_its_cause_and_ends_the_stream() {
        let error = ServiceError::unavailable("the service failed", "no route to 10.0.0.1");
        assert_eq!(error.kind(), ServiceErrorKind::Unavailable);
        let mut reading = reading(vec![Ok("a".into()), Err(error), Ok("b".into())]).await;
        assert_eq!(reading.blocking_read(10).await.unwrap(), "a");
        let Err(StreamError::LastOperationFailed(error)) = reading.blocking_read(10).await else { panic!("no error") };
        assert_eq!(format!("{error:?}").lines().next(), Some("the service failed"));
        assert!(matches!(reading.blocking_read(10).await, Err(StreamError::Closed)));
    }
}
