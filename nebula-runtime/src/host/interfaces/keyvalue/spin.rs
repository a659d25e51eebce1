//! `fermyon:spin/key-value` 2.0.0, which most components for Spin import.

use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::interface::{HostStore, bucket_methods, bucket_resource, function, open, opened};
use crate::{
    call::Caller,
    engine::Host,
    host::{
        failure::{ServiceError, ServiceErrorKind},
        granted::Bucket,
        system::System,
    },
};

/// `error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum SpinError {
    #[component(name = "store-table-full")]
    StoreTableFull,
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

impl From<ServiceError> for SpinError {
    fn from(error: ServiceError) -> Self {
        match error.kind() {
            ServiceErrorKind::Denied => Self::AccessDenied,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// The most keys that `get-keys` returns.
const KEYS: usize = 100_000;

pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut interface = linker.instance("fermyon:spin/key-value@2.0.0")?;
    bucket_resource(&mut interface, "store")?;
    interface.func_wrap("[static]store.open", |mut host: HostStore<'_>, (name,): (String,)| {
        Ok((open(&mut host, &name)?.ok_or(SpinError::NoSuchStore),))
    })?;
    bucket_methods::<SpinError>(&mut interface, "store")?;
    function::<_, _, SpinError, _, _>(&mut interface, "[method]store.get-keys", |host, (bucket,): (_,)| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { all_keys(&bucket, &caller).await })
    })
}

/// All keys. The interface has no pages.
pub(super) async fn all_keys(bucket: &Bucket, caller: &Caller) -> Result<Vec<String>, ServiceError> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = bucket.list(caller, cursor.as_deref()).await?;
        keys.extend(page.keys);
        if keys.len() > KEYS {
            let detail = format!("the store has more than {KEYS} keys: list them in pages, with wasi:keyvalue");
            return Err(ServiceError::new(ServiceErrorKind::LimitExceeded, detail));
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}
