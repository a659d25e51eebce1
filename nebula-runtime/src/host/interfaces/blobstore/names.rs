//! The resource `stream-object-names`: the names of the blobs of a container.

use std::sync::Arc;

use tokio::sync::Mutex;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};

use super::interface::{HostStore, Returned};
use crate::{
    engine::Host,
    host::{
        failure::ServiceError,
        granted::{Container, Listing},
        system::System,
    },
};

/// The names of the blobs of a container, as a guest reads them.
#[derive(Clone)]
pub(super) struct Names {
    container: Container,
    listing: Arc<Mutex<Listing>>,
}

impl Names {
    pub(super) fn new(container: Container, listing: Listing) -> Self {
        Self { container, listing: Arc::new(Mutex::new(listing)) }
    }
}

type Handle = Resource<Names>;

/// Adds the resource.
pub(super) fn link(container: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    container.resource("stream-object-names", ResourceType::host::<Names>(), |mut host, index| {
        host.data_mut().wasi.table().delete(Resource::<Names>::new_own(index))?;
        Ok(())
    })?;
    container.func_wrap_async(
        "[method]stream-object-names.read-stream-object-names",
        |host: HostStore<'_>, (names, most): (Handle, u64)| Box::new(read(host, names, most)),
    )?;
    container.func_wrap_async(
        "[method]stream-object-names.skip-stream-object-names",
        |host: HostStore<'_>, (names, most): (Handle, u64)| Box::new(skip(host, names, most)),
    )
}

async fn read(mut host: HostStore<'_>, names: Handle, most: u64) -> Returned<(Vec<String>, bool)> {
    let next = next(&mut host, &names, most).await?;
    Ok((next.map_err(|error| error.to_string()),))
}

/// The number of names that were skipped, and whether there are no more. Fewer may be skipped than were asked for.
async fn skip(mut host: HostStore<'_>, names: Handle, most: u64) -> Returned<(u64, bool)> {
    let next = next(&mut host, &names, most).await?;
    let skipped = next.map(|(names, is_ended)| (names.len() as u64, is_ended));
    Ok((skipped.map_err(|error| error.to_string()),))
}

async fn next(
    host: &mut HostStore<'_>,
    names: &Handle,
    most: u64,
) -> wasmtime::Result<Result<(Vec<String>, bool), ServiceError>> {
    let Names { container, listing } = host.data_mut().wasi.table().get(names)?.clone();
    let caller = host.data().caller().clone();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut listing = listing.lock().await;
    Ok(container.read(&caller, &mut listing, most).await)
}
