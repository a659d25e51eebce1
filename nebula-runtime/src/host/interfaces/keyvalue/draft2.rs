//! `wasi:keyvalue` 0.2.0-draft2, which Spin has. Its `get-many` has two shapes: that of Spin, and that of the proposal.

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType, Type};

use super::interface::{HostStore, StoreError, batch_functions, function, get_entries, opened, store_functions};
use crate::{
    engine::Host,
    host::{failure::ServiceError, granted::Bucket, interfaces::imports::Imports, system::System},
};

/// `key-response`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct KeyResponse {
    keys: Vec<String>,
    cursor: Option<String>,
}

/// The resource `cas`: a value that the guest wants to replace.
#[derive(Clone)]
struct Cas {
    bucket: Bucket,
    key: String,
    /// The value that is replaced: that of the last `current`, or else that of the time when this was made.
    seen: Option<Bytes>,
}

/// `cas-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum CasError {
    #[component(name = "store-error")]
    StoreError(StoreError),
    #[component(name = "cas-failed")]
    CasFailed(Resource<Cas>),
}

const BATCH: &str = "wasi:keyvalue/batch@0.2.0-draft2";

pub(super) fn link(linker: &mut Linker<Host<System>>, imports: &Imports<'_>) -> wasmtime::Result<()> {
    let mut store = linker.instance("wasi:keyvalue/store@0.2.0-draft2")?;
    store_functions(&mut store)?;
    function::<_, _, StoreError, _, _>(
        &mut store,
        "[method]bucket.list-keys",
        |host, (bucket, cursor): (_, Option<String>)| {
            let (bucket, caller) = opened(host, &bucket)?;
            Ok(async move {
                let page = bucket.list(&caller, cursor.as_deref()).await?;
                Ok(KeyResponse { keys: page.keys, cursor: page.cursor })
            })
        },
    )?;

    atomics(&mut linker.instance("wasi:keyvalue/atomics@0.2.0-draft2")?)?;

    let mut batch = linker.instance(BATCH)?;
    batch_functions(&mut batch)?;
    if wants_entries(imports) { get_entries(&mut batch) } else { get_values(&mut batch) }
}

/// Whether `get-many` is that of the proposal, `list<option<tuple<..>>>`. That of Spin is `list<tuple<.., option<..>>>`.
fn wants_entries(imports: &Imports<'_>) -> bool {
    let Some(Type::List(entries)) = imports.success(BATCH, "get-many") else { return false };
    matches!(entries.ty(), Type::Option(_))
}

/// Adds a `get-many` that returns all keys, each with its value or `none`.
fn get_values(batch: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    function::<_, _, StoreError, _, _>(batch, "get-many", |host, (bucket, keys): (_, Vec<String>)| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move {
            let values = bucket.get_many(&caller, &keys).await?;
            Ok(keys.into_iter().zip(values).map(|(key, value)| (key, value.map(Vec::from))).collect::<Vec<_>>())
        })
    })
}

fn atomics(atomics: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    function::<_, _, StoreError, _, _>(atomics, "increment", |host, (bucket, key, delta): (_, String, i64)| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { bucket.increment(&caller, &key, delta).await })
    })?;
    atomics.resource("cas", ResourceType::host::<Cas>(), |mut host, index| {
        host.data_mut().wasi.table().delete(Resource::<Cas>::new_own(index))?;
        Ok(())
    })?;
    atomics.func_wrap_async("[static]cas.new", |host: HostStore<'_>, (bucket, key): (Resource<Bucket>, String)| {
        Box::new(async move { Ok((new_cas(host, &bucket, key).await?.map_err(StoreError::from),)) })
    })?;
    atomics.func_wrap_async("[method]cas.current", |host: HostStore<'_>, (cas,): (Resource<Cas>,)| {
        Box::new(async move { Ok((current(host, &cas).await?.map_err(StoreError::from),)) })
    })?;
    atomics.func_wrap_async("swap", |host: HostStore<'_>, (cas, value): (Resource<Cas>, Vec<u8>)| {
        Box::new(async move { Ok((swap(host, cas, value).await?,)) })
    })
}

async fn new_cas(
    mut host: HostStore<'_>,
    bucket: &Resource<Bucket>,
    key: String,
) -> wasmtime::Result<Result<Resource<Cas>, ServiceError>> {
    let (bucket, caller) = opened(&mut host, bucket)?;
    match bucket.get(&caller, &key).await {
        Ok(seen) => Ok(Ok(host.data_mut().wasi.table().push(Cas { bucket, key, seen })?)),
        Err(error) => Ok(Err(error)),
    }
}

/// The value that the key has now. A later swap replaces this value only.
async fn current(
    mut host: HostStore<'_>,
    cas: &Resource<Cas>,
) -> wasmtime::Result<Result<Option<Vec<u8>>, ServiceError>> {
    let Cas { bucket, key, .. } = host.data_mut().wasi.table().get(cas)?.clone();
    let caller = host.data().caller().clone();
    let seen = match bucket.get(&caller, &key).await {
        Ok(seen) => seen,
        Err(error) => return Ok(Err(error)),
    };
    let value = seen.as_ref().map(|value| value.to_vec());
    host.data_mut().wasi.table().get_mut(cas)?.seen = seen;
    Ok(Ok(value))
}

/// Replaces the value that the guest has seen. If it has changed since, the guest gets a new `cas`, which has seen the
/// value that there is now.
async fn swap(mut host: HostStore<'_>, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
    let Cas { bucket, key, seen } = host.data_mut().wasi.table().delete(cas)?;
    let caller = host.data().caller().clone();
    let now = match bucket.swap(&caller, &key, seen.as_deref(), value).await {
        Ok(true) => return Ok(Ok(())),
        Ok(false) => bucket.get(&caller, &key).await,
        Err(error) => Err(error),
    };
    Ok(Err(match now {
        Ok(seen) => CasError::CasFailed(host.data_mut().wasi.table().push(Cas { bucket, key, seen })?),
        Err(error) => CasError::StoreError(error.into()),
    }))
}
