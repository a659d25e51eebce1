//! `wasi:keyvalue` 0.2.0-draft, which Wasmtime and wasmCloud have.

use wasmtime::component::{ComponentType, Linker, Lower};

use super::interface::{StoreError, batch_functions, function, get_entries, opened, store_functions};
use crate::{
    call::Caller,
    engine::Host,
    host::{
        failure::{ServiceError, ServiceErrorKind},
        granted::Bucket,
        system::System,
    },
};

/// `key-response`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct KeyResponse {
    keys: Vec<String>,
    cursor: Option<u64>,
}

pub(super) fn link(linker: &mut Linker<Host<System>>) -> wasmtime::Result<()> {
    let mut store = linker.instance("wasi:keyvalue/store@0.2.0-draft")?;
    store_functions(&mut store)?;
    function::<_, _, StoreError, _, _>(
        &mut store,
        "[method]bucket.list-keys",
        |host, (bucket, cursor): (_, Option<u64>)| {
            let (bucket, caller) = opened(host, &bucket)?;
            Ok(async move { list_keys(&bucket, &caller, cursor.unwrap_or(0)).await })
        },
    )?;

    let mut atomics = linker.instance("wasi:keyvalue/atomics@0.2.0-draft")?;
    function::<_, _, StoreError, _, _>(&mut atomics, "increment", |host, (bucket, key, delta): (_, String, u64)| {
        let (bucket, caller) = opened(host, &bucket)?;
        Ok(async move { increment(&bucket, &caller, &key, delta).await })
    })?;

    let mut batch = linker.instance("wasi:keyvalue/batch@0.2.0-draft")?;
    batch_functions(&mut batch)?;
    get_entries(&mut batch)
}

/// The page whose cursor this is: the number of keys on the pages before. A guest may keep a cursor from one invocation
/// to the next, so it must say all by itself.
async fn list_keys(bucket: &Bucket, caller: &Caller, before: u64) -> Result<KeyResponse, ServiceError> {
    let (mut passed, mut cursor) = (0, None);
    loop {
        let page = bucket.list(caller, cursor.as_deref()).await?;
        let end = passed + page.keys.len() as u64;
        let is_last = page.cursor.is_none();
        if end > before || is_last {
            let skipped = usize::try_from(before.saturating_sub(passed)).unwrap_or(usize::MAX);
            let keys = page.keys.into_iter().skip(skipped).collect();
            return Ok(KeyResponse { keys, cursor: (!is_last).then_some(end) });
        }
        (passed, cursor) = (end, page.cursor);
    }
}

async fn increment(bucket: &Bucket, caller: &Caller, key: &str, delta: u64) -> Result<u64, ServiceError> {
    let invalid = |detail| ServiceError::new(ServiceErrorKind::Invalid, detail);
    let delta = i64::try_from(delta).map_err(|_| invalid("a key can be incremented by at most 9223372036854775807"))?;
    let sum = bucket.increment(caller, key, delta).await?;
    u64::try_from(sum).map_err(|_| invalid("the value is below zero, which this interface cannot return"))
}
