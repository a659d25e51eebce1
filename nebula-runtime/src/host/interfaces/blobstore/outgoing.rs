//! A blob that a guest writes.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Duration, Instant},
};
use wasmtime::component::{LinkerInstance, Resource, ResourceType};
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::{
    interface::{HostStore, Returned},
    pipe::Pipe,
};
use crate::{
    call::Caller,
    engine::Host,
    host::{failure::ServiceError, granted::Container, system::System},
    sync::lock,
};

/// The resource `outgoing-value`: a blob that a guest writes. It and its stream share the writing.
///
/// No task writes the blob. The guest's own waiting does it: for room in its stream, and for `finish`.
pub(super) struct Outgoing {
    writing: Arc<Writing>,
    /// Whether the guest has the stream.
    has_stream: bool,
}

/// What ends a blob.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The guest calls `finish`.
    Finish,
    /// The guest drops the stream, or the value if it has no stream. Its interface is older than `finish`.
    Stream,
}

/// A blob that is written.
pub(super) struct Writing {
    end: End,
    pipe: Pipe,
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    /// It is not known yet to which container the blob belongs.
    #[default]
    Unplaced,
    Goes(Target),
    Ended(Ended),
}

struct Ended {
    result: Result<(), String>,
    /// Whether the guest knows the result.
    is_told: bool,
}

struct Target {
    container: Container,
    caller: Caller,
    put: BoxFuture<'static, Result<u64, ServiceError>>,
    /// How long the guest has waited so far, in waits that are over.
    waited: Duration,
}

/// How many bytes the guest may write before the service takes them.
const ROOM: usize = 256 << 10;

/// How many bytes it may write before it says where the blob belongs.
const ROOM_UNPLACED: usize = 1 << 20;

/// The most bytes of one write.
const PIECE: usize = 64 << 10;

type Handle = Resource<Outgoing>;

/// The function that ends a blob.
pub(super) const FINISH: &str = "[static]outgoing-value.finish";

/// Adds the resource.
pub(super) fn link(types: &mut LinkerInstance<'_, Host<System>>, end: End) -> wasmtime::Result<()> {
    types.resource_async("outgoing-value", ResourceType::host::<Outgoing>(), |host, index| {
        Box::new(drop_value(host, Resource::new_own(index)))
    })?;
    types.func_wrap("[static]outgoing-value.new-outgoing-value", move |mut host: HostStore<'_>, (): ()| {
        Ok((host.data_mut().wasi.table().push(Outgoing::new(end))?,))
    })?;
    types.func_wrap("[method]outgoing-value.outgoing-value-write-body", write_body)?;
    types.func_wrap_async(FINISH, |host: HostStore<'_>, (value,): (Handle,)| Box::new(finish(host, value)))
}

/// Ends the blob, if nothing else does.
async fn drop_value(mut host: HostStore<'_>, value: Handle) -> wasmtime::Result<()> {
    let Outgoing { writing, .. } = host.data_mut().wasi.table().delete(value)?;
    if writing.end == End::Stream {
        writing.complete().await;
        return writing.check_told();
    }
    Ok(())
}

/// The stream of the value, which a guest gets once. It gets none if it reads and writes too many blobs at once.
fn write_body(
    mut host: HostStore<'_>,
    (handle,): (Handle,),
) -> wasmtime::Result<(Result<Resource<DynOutputStream>, ()>,)> {
    if host.data_mut().wasi.table().get(&handle)?.has_stream {
        return Ok((Err(()),));
    }
    let Some(place) = host.data_mut().wasi.blob_place() else { return Ok((Err(()),)) };
    let table = host.data_mut().wasi.table();
    let value = table.get_mut(&handle)?;
    value.has_stream = true;
    let stream: DynOutputStream = Box::new(Body { writing: Arc::clone(&value.writing), _place: place });
    Ok((Ok(table.push_child(stream, &handle)?),))
}

/// Makes the blob appear.
async fn finish(mut host: HostStore<'_>, value: Handle) -> Returned<()> {
    let Outgoing { writing, .. } = host.data_mut().wasi.table().delete(value)?;
    writing.complete().await;
    Ok((writing.tell().unwrap_or_else(|| Err("the value was not written to a container (write-data)".to_owned())),))
}

impl Outgoing {
    fn new(end: End) -> Self {
        Self { writing: Arc::new(Writing { end, pipe: Pipe::default(), state: Mutex::default() }), has_stream: false }
    }

    pub(super) fn writing(&self) -> Arc<Writing> {
        Arc::clone(&self.writing)
    }
}

impl Writing {
    /// Says to which blob the value is written. If its stream has ended, and that ends the blob, the blob then appears.
    ///
    /// # Errors
    /// That was said before, the guest may not write this blob, or it could not be written.
    pub(super) async fn write_to(&self, container: Container, caller: Caller, name: &str) -> Result<(), String> {
        self.place(container, caller, name)?;
        if self.pipe.is_ended() {
            self.complete().await;
        }
        self.tell().unwrap_or(Ok(()))
    }

    fn place(&self, container: Container, caller: Caller, name: &str) -> Result<(), String> {
        let mut state = lock(&self.state);
        if !matches!(*state, State::Unplaced) {
            return Err("the value is written to a container already".to_owned());
        }
        let put = container.put(&caller, name, self.pipe.clone().boxed()).map_err(|error| error.to_string())?;
        *state = State::Goes(Target { container, caller, put, waited: Duration::ZERO });
        Ok(())
    }

    /// Ends the blob, and lets the service take all of it, if the service is known.
    async fn complete(&self) {
        self.pipe.end();
        self.wait(|| false).await;
    }

    /// The result, once there is one. The guest then knows it.
    fn tell(&self) -> Option<Result<(), String>> {
        match &mut *lock(&self.state) {
            State::Ended(ended) => {
                ended.is_told = true;
                Some(ended.result.clone())
            }
            State::Unplaced | State::Goes(_) => None,
        }
    }

    /// Fails if the blob could not be written, and no function has said so to the guest.
    fn check_told(&self) -> wasmtime::Result<()> {
        match &*lock(&self.state) {
            State::Ended(Ended { result: Err(error), is_told: false }) => {
                Err(wasmtime::Error::msg(format!("a blob could not be written: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Lets the service take bytes, until that is enough or the service has ended. Does not wait if the service is not
    /// known yet.
    async fn wait(&self, is_enough: impl Fn() -> bool) {
        let began = Instant::now();
        poll_fn(|context| {
            let is_over = is_enough() || self.poll(began, context).is_ready() || is_enough();
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if let State::Goes(target) = &mut *lock(&self.state) {
            target.waited += began.elapsed();
        }
    }

    /// Lets the service take bytes in a wait that `began` then.
    fn poll(&self, began: Instant, context: &mut Context<'_>) -> Poll<()> {
        let mut state = lock(&self.state);
        if let State::Goes(target) = &mut *state {
            let put = ready!(target.put.poll_unpin(context));
            target.container.note_put(&target.caller, target.waited + began.elapsed(), put.as_ref().err());
            *state = State::Ended(Ended { result: put.map(drop).map_err(|error| error.to_string()), is_told: false });
        }
        Poll::Ready(())
    }

    fn room(&self) -> usize {
        let most = if matches!(*lock(&self.state), State::Unplaced) { ROOM_UNPLACED } else { ROOM };
        most.saturating_sub(self.pipe.len()).min(PIECE)
    }
}

/// The stream of a value.
struct Body {
    writing: Arc<Writing>,
    _place: OwnedSemaphorePermit,
}

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        self.writing.wait(|| self.writing.room() > 0).await;
    }
}

#[async_trait]

impl OutputStream for Body {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > self.check_write()? {
            return Err(StreamError::trap("the guest wrote more than check-write has allowed"));
        }
        self.writing.pipe.write(&bytes);
        Ok(())
    }

    /// Bytes are kept when the value is finished, and not before.
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let failed = |error: String| Err(StreamError::LastOperationFailed(wasmtime::Error::msg(error)));
        let room = self.writing.room();
        if let Some(Err(error)) = self.writing.tell() {
            return failed(error);
        }
        match &*lock(&self.writing.state) {
            State::Unplaced if room == 0 => failed(format!(
                "more than {ROOM_UNPLACED} bytes were written before write-data said to which blob they belong"
            )),
            State::Unplaced | State::Goes(_) | State::Ended(_) => Ok(room),
        }
    }

    /// The stream is dropped.
    async fn cancel(&mut self) {
        if self.writing.end == End::Stream {
            self.writing.complete().await;
        }
    }
}
