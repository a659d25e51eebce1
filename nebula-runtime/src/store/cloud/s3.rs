//! Amazon S3, and servers that speak its protocol: MinIO, Ceph, R2 and others.

use std::sync::Arc;

use object_store::{
    ObjectStore, Result,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
};

use super::client;
use crate::store::shared::{Service, StoreAccess};

/// The objects of a bucket.
pub(super) fn objects(bucket: &str, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    Ok(Arc::new(builder(bucket, access)?.with_retry(client::retry()).build()?))
}

/// The objects of a bucket, where no request is sent again.
pub(super) fn objects_sent_once(bucket: &str, access: &StoreAccess) -> Result<Arc<dyn ObjectStore>> {
    Ok(Arc::new(builder(bucket, access)?.with_retry(client::no_retry()).build()?))
}

fn builder(bucket: &str, access: &StoreAccess) -> Result<AmazonS3Builder> {
    let endpoint = access.get(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]);
    let mut options = client::options(Service::S3, endpoint)?;
    if let Some(region) = access.get(&["AWS_REGION", "AWS_DEFAULT_REGION"]) {
        check_region(region)?;
    }
    if access.get(&["AWS_WEB_IDENTITY_TOKEN_FILE"]).is_some() {
        // It is exchanged for credentials at a service that has TLS, whatever the store has.
        options = options.with_no_system_certificates(false);
    }
    let mut builder = AmazonS3Builder::new().with_client_options(options).with_http_connector(client::Traced);
    for (name, value) in access.variables("AWS_") {
        if let Ok(key) = name.parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    Ok(builder.with_bucket_name(bucket))
}

/// A region is a part of the service's host name, and the client panics if that is none.
fn check_region(region: &str) -> Result<()> {
    match region.chars().all(|char| char.is_ascii_alphanumeric() || char == '-') {
        true => Ok(()),
        false => Err(client::invalid(Service::S3, format!("{region:?} is no name of a region"))),
    }
}
