//! The values and the blobs in services of this node.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use nebula_runtime::{
    NotThere, ServiceName, Services,
    blobs::{BlobInfo, BlobRange},
    keyvalue::Page,
};

use super::{Blob, Content, Data};
use crate::failure::Failure;

/// The values and the blobs in services of this node.
pub(crate) struct LocalData(pub(crate) Services);

#[async_trait]
impl Data for LocalData {
    async fn value(&self, service: &ServiceName, key: &str) -> Result<Bytes, Failure> {
        let value = self.0.keyvalue_of(service)?.get(key).await?;
        Ok(value.ok_or_else(|| NotThere::Key { service: service.clone(), key: key.to_owned() })?)
    }

    async fn set_value(&self, service: &ServiceName, key: &str, value: Bytes) -> Result<(), Failure> {
        Ok(self.0.keyvalue_of(service)?.set(key, value).await?)
    }

    async fn delete_value(&self, service: &ServiceName, key: &str) -> Result<(), Failure> {
        Ok(self.0.keyvalue_of(service)?.delete(key).await?)
    }

    async fn keys(&self, service: &ServiceName, prefix: &str, cursor: Option<&str>) -> Result<Page, Failure> {
        Ok(self.0.keyvalue_of(service)?.list(prefix, cursor).await?)
    }

    async fn blob(&self, service: &ServiceName, name: &str) -> Result<Blob, Failure> {
        let content = self.0.blobs_of(service)?.get(name, BlobRange::ALL).await?;
        let content = content.ok_or_else(|| NotThere::Blob { service: service.clone(), name: name.to_owned() })?;
        Ok(Blob { size: Some(content.size), bytes: content.bytes.map_err(Failure::from).boxed() })
    }

    async fn put_blob(&self, service: &ServiceName, name: &str, content: Content) -> Result<(), Failure> {
        self.0.blobs_of(service)?.put(name, content.bytes).await?;
        Ok(())
    }

    async fn delete_blob(&self, service: &ServiceName, name: &str) -> Result<(), Failure> {
        Ok(self.0.blobs_of(service)?.delete(name).await?)
    }

    async fn blobs(
        &self,
        service: &ServiceName,
        prefix: &str,
    ) -> Result<BoxStream<'static, Result<BlobInfo, Failure>>, Failure> {
        Ok(self.0.blobs_of(service)?.list(prefix).map_err(Failure::from).boxed())
    }
}
