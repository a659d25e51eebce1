//! The values and the blobs in services of a server, over its admin API.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use nebula_runtime::{RegistryErrorKind, ServiceError, ServiceErrorKind, ServiceName, blobs::BlobInfo, keyvalue::Page};

use super::{Blob, Content, Data};
use crate::{
    client::{Call, Client, Lines, ServerError, Upload},
    failure::Failure,
};

/// The media type of values and blobs.
const OCTETS: &str = "application/octet-stream";

/// The media type of a list of blobs.
const LINES: &str = "application/jsonl";

/// The values and the blobs in services of a server, over its admin API.
pub(crate) struct RemoteData(pub(crate) Client);

#[async_trait]
impl Data for RemoteData {
    async fn value(&self, service: &ServiceName, key: &str) -> Result<Bytes, Failure> {
        let call = Call::get(["services", service.as_str(), "keyvalue", "value"]).query("key", Some(key));
        let opened = self.0.open(call, OCTETS).await.map_err(of_service)?;
        let pieces: Vec<Bytes> = opened.bytes.try_collect().await.map_err(of_service)?;
        Ok(pieces.concat().into())
    }

    async fn set_value(&self, service: &ServiceName, key: &str, value: Bytes) -> Result<(), Failure> {
        let call = Call::put(["services", service.as_str(), "keyvalue", "value"]).query("key", Some(key));
        self.0.done(call.upload(Upload::octets(value))).await.map_err(of_service)
    }

    async fn delete_value(&self, service: &ServiceName, key: &str) -> Result<(), Failure> {
        let call = Call::delete(["services", service.as_str(), "keyvalue", "value"]).query("key", Some(key));
        self.0.done(call).await.map_err(of_service)
    }

    async fn keys(&self, service: &ServiceName, prefix: &str, cursor: Option<&str>) -> Result<Page, Failure> {
        let call = Call::get(["services", service.as_str(), "keyvalue"]);
        let call = call.query("prefix", Some(prefix)).query("cursor", cursor);
        self.0.send(call).await.map_err(of_service)
    }

    async fn blob(&self, service: &ServiceName, name: &str) -> Result<Blob, Failure> {
        let call = Call::get(["services", service.as_str(), "blobs", "content"]).query("name", Some(name));
        let opened = self.0.open(call, OCTETS).await.map_err(of_service)?;
        Ok(Blob { size: opened.size, bytes: opened.bytes.map_err(of_service).boxed() })
    }

    async fn put_blob(&self, service: &ServiceName, name: &str, content: Content) -> Result<(), Failure> {
        let call = Call::put(["services", service.as_str(), "blobs", "content"]).query("name", Some(name));
        self.0.done(call.upload(Upload::streamed(content.size, content.bytes))).await.map_err(of_service)
    }

    async fn delete_blob(&self, service: &ServiceName, name: &str) -> Result<(), Failure> {
        let call = Call::delete(["services", service.as_str(), "blobs", "content"]).query("name", Some(name));
        self.0.done(call).await.map_err(of_service)
    }

    /// The server lists them as it reads them, one on a line.
    async fn blobs(
        &self,
        service: &ServiceName,
        prefix: &str,
    ) -> Result<BoxStream<'static, Result<BlobInfo, Failure>>, Failure> {
        let call = Call::get(["services", service.as_str(), "blobs"]).query("prefix", Some(prefix));
        let lines = Lines::of(self.0.open(call, LINES).await.map_err(of_service)?);
        let blobs = stream::try_unfold(lines, async |mut lines| {
            let next = lines.next().await.map_err(of_service)?;
            Ok(next.map(|info| (info, lines)))
        });
        Ok(blobs.boxed())
    }
}

/// What a service of the server did not do fails in the same way as in this process.
fn of_service(error: ServerError) -> Failure {
    let ServerError::Registry(error) = error else { return error.into() };
    let kind = match error.kind() {
        RegistryErrorKind::NotFound => return Failure::NotOnServer(error.detail().to_owned()),
        RegistryErrorKind::Invalid => ServiceErrorKind::Invalid,
        RegistryErrorKind::Unavailable => ServiceErrorKind::Unavailable,
        RegistryErrorKind::Conflict
        | RegistryErrorKind::Stale
        | RegistryErrorKind::Forbidden
        | RegistryErrorKind::Internal => return error.into(),
    };
    ServiceError::new(kind, error.detail()).into()
}
