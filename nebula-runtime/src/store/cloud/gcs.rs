//! Google Cloud Storage.

use std::sync::Arc;

use object_store::{
    ObjectStore, Result,
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
};

use super::client;
use crate::store::shared::{Service, StoreAccess};

/// The objects of a bucket.
pub(super) fn objects(bucket: &str, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    let options = client::options(Service::Gcs, access.get(&["GOOGLE_BASE_URL"]))?;
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_client_options(options)
        .with_http_connector(client::Traced)
        .with_retry(client::retry());
    for (name, value) in access.variables("GOOGLE_") {
        if let Ok(key) = name.parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(Arc::new(builder.with_bucket_name(bucket).build()?))
}
