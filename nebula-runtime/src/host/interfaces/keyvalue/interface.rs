//! What the interfaces of key-value stores share.

use wasmtime::{
    AsContextMut as _, StoreContextMut,
    component::{ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower, Resource, ResourceType},
};

use crate::{
    call::Caller,
    engine::Host,
    host::{
        failure::{ServiceError, ServiceErrorKind},
        granted::Bucket,
        system::System,
    },
};

/// `error` of both drafts of `wasi:keyvalue/store`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum StoreError {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

impl From<ServiceError> for StoreError {
    fn from(error: ServiceError) -> Self {
        match error.kind() {
            ServiceErrorKind::Denied => Self::AccessDenied,
            _ => Self::Other(error.to_string()),
        }
    }
}

pub(super) type HostStore<'a> = StoreContextMut<'a, Host<System>>;

/// Adds a resource whose representation is a [`Bucket`].
pub(super) fn bucket_resource(instance: &mut LinkerInstance<'_, Host<System>>, name: &str) -> wasmtime::Result<()> {
    instance.resource(name, ResourceType::host::<Bucket>(), |mut host, index| {
        host.data_mut().wasi.table().delete(Resource::<Bucket>::new_own(index))?;
        Ok(())
    })
}

/// Opens the store of this name for the guest.
pub(super) fn open(host: &mut HostStore<'_>, name: &str) -> wasmtime::Result<Option<Resource<Bucket>>> {
    let Some(granted) = host.data().wasi.stores().get(name) else { return Ok(None) };
    Ok(Some(host.data_mut().wasi.table().push(Bucket::new(granted))?))
}

/// The store that the guest has opened, and the invocation that it serves.
pub(super) fn opened(host: &mut HostStore<'_>, bucket: &Resource<Bucket>) -> wasmtime::Result<(Bucket, Caller)> {
    let bucket = host.data_mut().wasi.table().get(bucket)?.clone();
    Ok((bucket, host.data().caller().clone()))
}

/// Whether the functions of an interface are `async` in its WIT.
#[derive(Clone, Copy)]
enum Functions {
    Blocking,
    Async,
}

/// Adds a function that returns a result, whose errors are the interface's own.
pub(super) fn function<P, T, E, F, R>(
    instance: &mut LinkerInstance<'_, Host<System>>,
    name: &str,
    f: F,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Send + 'static,
    (Result<T, E>,): ComponentNamedList + Lower,
    T: Send + 'static,
    E: From<ServiceError> + Send + 'static,
    F: Fn(&mut HostStore<'_>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    R: Future<Output = Result<T, ServiceError>> + Send + 'static,
{
    function_of(Functions::Blocking, instance, name, f)
}

fn function_of<P, T, E, F, R>(
    functions: Functions,
    instance: &mut LinkerInstance<'_, Host<System>>,
    name: &str,
    f: F,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Send + 'static,
    (Result<T, E>,): ComponentNamedList + Lower,
    T: Send + 'static,
    E: From<ServiceError> + Send + 'static,
    F: Fn(&mut HostStore<'_>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    R: Future<Output = Result<T, ServiceError>> + Send + 'static,
{
    match functions {
        Functions::Blocking => instance.func_wrap_async(name, move |mut host: HostStore<'_>, params: P| {
            let done = f(&mut host, params);
            Box::new(async move { Ok((done?.await.map_err(E::from),)) })
        }),
        Functions::Async => instance.func_wrap_concurrent(name, move |accessor, params: P| {
            let done = accessor.with(|mut host| f(&mut host.as_context_mut(), params));
            Box::pin(async move { Ok((done?.await.map_err(E::from),)) })
        }),
    }
}

/// Adds the functions that are the same in both drafts of `wasi:keyvalue/store`.
pub(super) fn store_functions(instance: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    bucket_resource(instance, "bucket")?;
    instance.func_wrap("open", |mut host: HostStore<'_>, (name,): (String,)| {
        Ok((open(&mut host, &name)?.ok_or(StoreError::NoSuchStore),))
    })?;
    bucket_methods::<StoreError>(instance, "bucket")
}

/// Adds the methods that all interfaces have.
pub(super) fn bucket_methods<E>(instance: &mut LinkerInstance<'_, Host<System>>, resource: &str) -> wasmtime::Result<()>
where
    E: From<ServiceError> + ComponentType + Lower + Send + 'static,
{
    methods::<E>(Functions::Blocking, instance, resource)
}

/// The same of an interface whose methods are `async`.
pub(super) fn async_bucket_methods<E>(
    instance: &mut LinkerInstance<'_, Host<System>>,
    resource: &str,
) -> wasmtime::Result<()>
where
    E: From<ServiceError> + ComponentType + Lower + Send + 'static,
{
    methods::<E>(Functions::Async, instance, resource)
}

fn methods<E>(
    functions: Functions,
    instance: &mut LinkerInstance<'_, Host<System>>,
    resource: &str,
) -> wasmtime::Result<()>
where
    E: From<ServiceError> + ComponentType + Lower + Send + 'static,
{
    type Key = (Resource<Bucket>, String);

    let method = |name: &str| format!("[method]{resource}.{name}");
    function_of::<_, Option<Vec<u8>>, E, _, _>(functions, instance, &method("get"), |host, (bucket, key): Key| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { Ok(bucket.get(&caller, &key).await?.map(Vec::from)) })
    })?;
    function_of::<_, (), E, _, _>(
        functions,
        instance,
        &method("set"),
        |host, (bucket, key, value): (_, String, Vec<u8>)| {
            let (bucket, caller) = opened(host, &bucket)?;
            Ok(async move { bucket.set(&caller, &key, value).await })
        },
    )?;
    function_of::<_, (), E, _, _>(functions, instance, &method("delete"), |host, (bucket, key): Key| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { bucket.delete(&caller, &key).await })
    })?;
    function_of::<_, bool, E, _, _>(functions, instance, &method("exists"), |host, (bucket, key): Key| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { bucket.exists(&caller, &key).await })
    })
}

/// Adds a `get-many` that returns the entries of those keys that have values, and `none` for each other key.
pub(super) fn get_entries(instance: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    function::<_, _, StoreError, _, _>(instance, "get-many", |host, (bucket, keys): (_, Vec<String>)| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move {
            let values = bucket.get_many(&caller, &keys).await?;
            let entries = keys.into_iter().zip(values);
            Ok(entries.map(|(key, value)| Some((key, Vec::from(value?)))).collect::<Vec<_>>())
        })
    })
}

/// Adds `set-many` and `delete-many` of both drafts of `wasi:keyvalue/batch`.
pub(super) fn batch_functions(instance: &mut LinkerInstance<'_, Host<System>>) -> wasmtime::Result<()> {
    type Entries = Vec<(String, Vec<u8>)>;

    function::<_, (), StoreError, _, _>(instance, "set-many", |host, (bucket, entries): (_, Entries)| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { bucket.set_many(&caller, entries).await })
    })?;
    function::<_, (), StoreError, _, _>(instance, "delete-many", |host, (bucket, keys): (_, Vec<String>)| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { bucket.delete_many(&caller, &keys).await })
    })
}
