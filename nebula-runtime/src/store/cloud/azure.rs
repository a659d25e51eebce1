//! Azure Blob Storage.

use std::{collections::BTreeMap, sync::Arc};

use object_store::{
    ObjectStore, Result,
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
};

use super::client;
use crate::store::shared::{Service, StoreAccess};

/// Variables of the command `az` that the client has other names for.
const OF_AZ: [(&str, AzureConfigKey); 2] =
    [("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName), ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey)];

/// The objects of a container.
pub(super) fn objects(container: &str, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    let settings = settings(access)?;
    let endpoint = settings.iter().rfind(|(key, _)| *key == AzureConfigKey::Endpoint).map(|(_, value)| value.as_str());
    let options = client::options(Service::Azure, endpoint)?;
    let mut builder = MicrosoftAzureBuilder::new()
        .with_client_options(options)
        .with_http_connector(client::Traced)
        .with_retry(client::retry());
    for (key, value) in settings {
        builder = builder.with_config(key, value);
    }
    Ok(Arc::new(builder.with_container_name(container).build()?))
}

/// The settings of the client. A later one replaces an earlier one.
fn settings(access: &StoreAccess) -> Result<Vec<(AzureConfigKey, String)>> {
    let mut settings = match access.get(&["AZURE_STORAGE_CONNECTION_STRING"]) {
        Some(text) => of_connection_string(text)?,
        None => Vec::new(),
    };
    for (name, key) in OF_AZ {
        settings.extend(access.get(&[name]).map(|value| (key, value.to_owned())));
    }
    let known = |(name, value): (String, &str)| Some((name.parse().ok()?, value.to_owned()));
    settings.extend(access.variables("AZURE_").filter_map(known));
    Ok(settings)
}

/// The settings in a connection string: `AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net`.
fn of_connection_string(text: &str) -> Result<Vec<(AzureConfigKey, String)>> {
    let pairs = text.split(';').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('='));
    // The text is not shown: it has the key.
    let no_pairs =
        || client::invalid(Service::Azure, "AZURE_STORAGE_CONNECTION_STRING is no list of pairs NAME=VALUE".into());
    let parts = pairs.collect::<Option<BTreeMap<_, _>>>().ok_or_else(no_pairs)?;
    let part = |name: &str| parts.get(name).map(|value| (*value).to_owned());
    let settings = [
        (AzureConfigKey::AccountName, part("AccountName")),
        (AzureConfigKey::AccessKey, part("AccountKey")),
        (AzureConfigKey::SasKey, part("SharedAccessSignature")),
        (AzureConfigKey::UseEmulator, part("UseDevelopmentStorage")),
        (AzureConfigKey::Endpoint, part("BlobEndpoint").or_else(|| endpoint_of(&parts))),
    ];
    Ok(settings.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// The endpoint of an account in another cloud of Azure, such as that of a government.
fn endpoint_of(parts: &BTreeMap<&str, &str>) -> Option<String> {
    let (account, suffix) = (parts.get("AccountName")?, parts.get("EndpointSuffix")?);
    let protocol = parts.get("DefaultEndpointsProtocol").unwrap_or(&"https");
    Some(format!("{protocol}://{account}.blob.{suffix}"))
}
