//! In place of a service that this build does not have.

use std::sync::Arc;

use object_store::{Error, ObjectStore, Result};

use crate::store::shared::StoreAccess;

/// Such a URL is refused before.
pub(super) fn objects(_: &str, _: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    Err(Error::NotSupported { source: "this build of Nebula does not have the service".into() })
}
