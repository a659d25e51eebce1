//! `spin:key-value` 3.0.0, which components for Spin 4 import. Its functions are `async`.

use futures_util::future::ready;
use wasmtime::{
    AsContextMut as _,
    component::{Accessor, FutureReader, Linker, Resource, StreamReader},
};

use super::{
    interface::{async_bucket_methods, bucket_resource, open, opened},
    spin::{SpinError, all_keys},
};
use crate::{
    engine::Host,
    host::{granted::Bucket, system::System},
};

pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut interface = linker.instance("spin:key-value/key-value@3.0.0")?;
    bucket_resource(&mut interface, "store")?;
    interface.func_wrap_concurrent("[static]store.open", |accessor, (name,): (String,)| {
        let opened = accessor.with(|mut host| open(&mut host.as_context_mut(), &name));
        Box::pin(async move { Ok((opened?.ok_or(SpinError::NoSuchStore),)) })
    })?;
    async_bucket_methods::<SpinError>(&mut interface, "store")?;
    interface.func_wrap_concurrent("[method]store.get-keys", |accessor, (bucket,): (Resource<Bucket>,)| {
        Box::pin(async move { Ok((keys(accessor, bucket).await?,)) })
    })
}

/// The keys as a stream, and how it ended.
type Keys = (StreamReader<String>, FutureReader<Result<(), SpinError>>);

async fn keys(accessor: &Accessor<Host<System>>, bucket: Resource<Bucket>) -> wasmtime::Result<Keys> {
    let (bucket, caller) = accessor.with(|mut host| opened(&mut host.as_context_mut(), &bucket))?;
    let found = all_keys(&bucket, &caller).await;
    let (keys, end) = match found {
        Ok(keys) => (keys, Ok(())),
        Err(error) => (Vec::new(), Err(SpinError::from(error))),
    };
    accessor.with(|mut host| {
        let end = ready(wasmtime::Result::<_>::Ok(end));
        Ok((StreamReader::new(&mut host, keys)?, FutureReader::new(&mut host, end)?))
    })
}
