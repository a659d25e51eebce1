//! What the interfaces of blobs share.

use wasmtime::StoreContextMut;

use crate::{
    engine::Host,
    host::{failure::ServiceError, system::System},
};

pub(super) type HostStore<'a> = StoreContextMut<'a, Host<System>>;

/// What a function returns that may fail: the error is a text.
pub(super) type Returned<T> = wasmtime::Result<(Result<T, String>,)>;

/// The result of an operation, as the guest gets it.
pub(super) fn returned<T>(result: Result<T, ServiceError>) -> Returned<T> {
    Ok((result.map_err(|error| error.to_string()),))
}
