//! The interface `blobstore`: finding containers, copying and moving blobs.

use std::slice;

use wasmtime::component::{ComponentType, Lift, LinkerInstance, Resource};

use super::{
    container::{Opened, no_blob, opened_as},
    interface::{HostStore, Returned},
};
use crate::{
    call::Caller,
    engine::Host,
    host::{granted::Container, system::System},
};

/// `object-id`.
#[derive(ComponentType, Lift)]
#[component(record)]
struct ObjectId {
    container: String,
    object: String,
}

/// A blob of a container.
struct Place {
    container: Container,
    name: String,
}

/// Adds the interface.
pub(super) fn link(blobstore: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    for name in ["create-container", "get-container"] {
        blobstore.func_wrap(name, |mut host: HostStore<'_>, (name,): (String,)| get_container(&mut host, name))?;
    }
    blobstore.func_wrap("delete-container", |_: HostStore<'_>, (name,): (String,)| delete_container(&name))?;
    blobstore.func_wrap("container-exists", |host: HostStore<'_>, (name,): (String,)| {
        Ok((Ok::<_, String>(host.data().wasi.containers().get(&name).is_some()),))
    })?;
    for (name, is_move) in [("copy-object", false), ("move-object", true)] {
        blobstore.func_wrap_async(name, move |host: HostStore<'_>, (from, to): (ObjectId, ObjectId)| {
            let places = Place::find(&host, from).and_then(|from| Ok((from, Place::find(&host, to)?)));
            let caller = host.data().caller().clone();
            Box::new(async move {
                Ok((match places {
                    Ok((from, to)) => copy(&caller, &from, &to, is_move).await,
                    Err(error) => Err(error),
                },))
            })
        })?;
    }
    Ok(())
}

/// The container of this name. The node has made it, so that "create" finds it as well.
fn get_container(host: &mut HostStore<'_>, name: String) -> Returned<Resource<Opened>> {
    match find(host, &name) {
        Ok(container) => Ok((Ok(host.data_mut().wasi.table().push(Opened { name, container })?),)),
        Err(error) => Ok((Err(error),)),
    }
}

/// No container is deleted: another function, or another version of this one, may use it.
fn delete_container(name: &str) -> Returned<()> {
    let detail = format!("the container {name:?} cannot be deleted by a function; clear deletes what is in it");
    Ok((Err(detail),))
}

/// Copies a blob, and then deletes the original if it is moved.
async fn copy(caller: &Caller, from: &Place, to: &Place, is_move: bool) -> Result<(), String> {
    let copied = to.container.copy(caller, &from.container, &from.name, &to.name).await;
    if !copied.map_err(|error| error.to_string())? {
        return Err(no_blob(&from.name));
    }
    if is_move && !from.container.is_same(&from.name, &to.container, &to.name) {
        let deleted = from.container.delete(caller, slice::from_ref(&from.name)).await;
        deleted.map_err(|error| error.to_string())?;
    }
    Ok(())
}

impl Place {
    fn find(host: &HostStore<'_>, id: ObjectId) -> Result<Self, String> {
        Ok(Self { container: find(host, &id.container)?, name: id.object })
    }
}

fn find(host: &HostStore<'_>, name: &str) -> Result<Container, String> {
    opened_as(host.data().wasi.containers(), name).ok_or_else(|| {
        format!(
            "there is no container {name:?} for this function; `blobs` in its configuration names those that it may use"
        )
    })
}
