//! The interface `container`: the blobs of a container.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::{ComponentType, LinkerInstance, Lower, Resource, ResourceType};

use super::{
    incoming::Incoming,
    interface::{HostStore, Returned, returned},
    names::Names,
    outgoing::Outgoing,
};
use crate::{
    call::Caller,
    engine::Host,
    host::{
        blobs::{BlobInfo, BlobRange},
        granted::{Container, Containers},
        system::System,
    },
};

/// The resource `container`.
pub(super) struct Opened {
    /// The guest's name for it.
    pub(super) name: String,
    pub(super) container: Container,
}

/// `container-metadata`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct ContainerMetadata {
    name: String,
    #[component(name = "created-at")]
    created_at: u64,
}

/// `object-metadata`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct ObjectMetadata {
    name: String,
    container: String,
    #[component(name = "created-at")]
    created_at: u64,
    size: u64,
}

type Handle = Resource<Opened>;

/// Adds the resource.
pub(super) fn link(interface: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    interface.resource("container", ResourceType::host::<Opened>(), |mut host, index| {
        host.data_mut().wasi.table().delete(Resource::<Opened>::new_own(index))?;
        Ok(())
    })?;
    interface.func_wrap("[method]container.name", |mut host: HostStore<'_>, (container,): (Handle,)| {
        Ok((Ok::<_, String>(host.data_mut().wasi.table().get(&container)?.name.clone()),))
    })?;
    interface.func_wrap("[method]container.info", |mut host: HostStore<'_>, (container,): (Handle,)| {
        let name = host.data_mut().wasi.table().get(&container)?.name.clone();
        Ok((Ok::<_, String>(ContainerMetadata { name, created_at: 0 }),))
    })?;
    link_reading(interface)?;
    link_writing(interface)
}

fn link_reading(interface: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    interface.func_wrap_async("[method]container.get-data", |host: HostStore<'_>, params| {
        Box::new(get_data(host, params))
    })?;
    interface.func_wrap_async(
        "[method]container.has-object",
        |mut host: HostStore<'_>, (container, name): (Handle, String)| {
            Box::new(async move {
                let (container, caller) = opened(&mut host, &container)?;
                returned(container.info(&caller, &name).await.map(|info| info.is_some()))
            })
        },
    )?;
    interface.func_wrap_async("[method]container.object-info", |host: HostStore<'_>, params| {
        Box::new(object_info(host, params))
    })?;
    interface.func_wrap_async("[method]container.list-objects", |host: HostStore<'_>, (container,): (Handle,)| {
        Box::new(list_objects(host, container))
    })
}

fn link_writing(interface: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    interface.func_wrap_async("[method]container.write-data", |host: HostStore<'_>, params| {
        Box::new(write_data(host, params))
    })?;
    interface.func_wrap_async(
        "[method]container.delete-object",
        |mut host: HostStore<'_>, (container, name): (Handle, String)| {
            Box::new(async move {
                let (container, caller) = opened(&mut host, &container)?;
                returned(container.delete(&caller, &[name]).await)
            })
        },
    )?;
    interface.func_wrap_async(
        "[method]container.delete-objects",
        |mut host: HostStore<'_>, (container, names): (Handle, Vec<String>)| {
            Box::new(async move {
                let (container, caller) = opened(&mut host, &container)?;
                returned(container.delete(&caller, &names).await)
            })
        },
    )?;
    interface.func_wrap_async("[method]container.clear", |mut host: HostStore<'_>, (container,): (Handle,)| {
        Box::new(async move {
            let (container, caller) = opened(&mut host, &container)?;
            returned(container.clear(&caller).await)
        })
    })
}

async fn get_data(
    mut host: HostStore<'_>,
    (container, name, first, last): (Handle, String, u64, u64),
) -> Returned<Resource<Incoming>> {
    let (container, caller) = opened(&mut host, &container)?;
    let Some(place) = host.data_mut().wasi.blob_place() else { return Ok((Err(too_many_blobs()),)) };
    match container.get(&caller, &name, BlobRange::new(first, last)).await {
        Ok(Some(content)) => Ok((Ok(host.data_mut().wasi.table().push(Incoming { content, place })?),)),
        Ok(None) => Ok((Err(no_blob(&name)),)),
        Err(error) => Ok((Err(error.to_string()),)),
    }
}

async fn object_info(mut host: HostStore<'_>, (handle, name): (Handle, String)) -> Returned<ObjectMetadata> {
    let (container, caller) = opened(&mut host, &handle)?;
    let info = match container.info(&caller, &name).await {
        Ok(Some(info)) => info,
        Ok(None) => return Ok((Err(no_blob(&name)),)),
        Err(error) => return Ok((Err(error.to_string()),)),
    };
    let container = host.data_mut().wasi.table().get(&handle)?.name.clone();
    let BlobInfo { name, size, created } = info;
    Ok((Ok(ObjectMetadata { name, container, created_at: seconds(created), size }),))
}

async fn list_objects(mut host: HostStore<'_>, container: Handle) -> Returned<Resource<Names>> {
    let (container, caller) = opened(&mut host, &container)?;
    match container.list(&caller).await {
        Ok(listing) => Ok((Ok(host.data_mut().wasi.table().push(Names::new(container, listing))?),)),
        Err(error) => Ok((Err(error.to_string()),)),
    }
}

/// Says where a blob is written to. That may be before the guest writes its bytes, or after.
async fn write_data(
    mut host: HostStore<'_>,
    (container, name, value): (Handle, String, Resource<Outgoing>),
) -> Returned<()> {
    let (container, caller) = opened(&mut host, &container)?;
    let writing = host.data_mut().wasi.table().get(&value)?.writing();
    Ok((writing.write_to(container, caller, &name).await,))
}

/// The container of a handle, and the invocation that the guest serves.
fn opened(host: &mut HostStore<'_>, container: &Handle) -> wasmtime::Result<(Container, Caller)> {
    let container = host.data_mut().wasi.table().get(container)?.container.clone();
    Ok((container, host.data().caller().clone()))
}

/// The container that the guest knows by this name.
pub(super) fn opened_as(containers: &Containers, name: &str) -> Option<Container> {
    containers.get(name).map(Container::new)
}

pub(super) fn no_blob(name: &str) -> String {
    format!("there is no blob {name:?} in the container")
}

/// The error of a guest that reads and writes too many blobs at once.
pub(super) fn too_many_blobs() -> String {
    let most = crate::host::system::BLOBS_AT_ONCE;
    format!("a function may read and write {most} blobs at once; drop the values of those that it needs no more")
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
