//! Azure Blob Storage.

use std::sync::Arc;

use object_store::{
    ObjectStore, Result,
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
};

use super::client;
use crate::store::shared::StoreAccess;

/// The objects of a container.
pub(super) fn objects(container: &str, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    let options = client::options(access.get(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]));
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(options).with_retry(client::retry());
    for (name, value) in access.variables("AZURE_") {
        if let Ok(key) = name.parse::<AzureConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(Arc::new(builder.with_container_name(container).build()?))
}
