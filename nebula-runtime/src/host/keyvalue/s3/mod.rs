//! Key-value stores in Amazon S3, and in servers that speak its protocol: an object for each key.
//!
//! - An object is named like its key, as [`names`](super::names) writes it, with `=` at its end: so no object stands where
//!   others have a folder.
//! - A name of more than 800 bytes is cut. It then has the digest of the key, and the key itself is in the object's
//!   metadata.
//! - Swaps and increments replace an object only if it still is the one that was read.

mod object;
mod requests;

use std::{ffi::OsString, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{Attributes, Error, PutMode, UpdateVersion, path::Path};
use tokio::sync::OnceCell;

use self::{
    object::{Listed, Object, beginning, key_of, listed},
    requests::Requests,
};
use super::{
    contract::{KeyValue, MAX_PAGE, Page},
    invalid_url::InvalidKeyValueUrl,
    several,
    versioned::{self, Found, Turns, Versioned},
};
use crate::{
    host::{failure::ServiceError, node::Node, place::ServicePlace},
    store::{StoreAccess, StoreUrl, objects_sent_once},
};

/// A folder of a bucket.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place(StoreUrl);

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidKeyValueUrl> {
        const EXPECTED: &str = "s3://BUCKET or s3://BUCKET/PREFIX, of at most 200 bytes; credentials and the address of the \
                                service are environment variables, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL";
        /// The names of objects have 1,024 bytes with the prefix.
        const LONGEST: usize = 200;
        let invalid = InvalidKeyValueUrl::Malformed { expected: EXPECTED };
        if text.len() > LONGEST {
            return Err(invalid);
        }
        text.parse().map(Self).map_err(|_| invalid)
    }

    #[expect(clippy::unused_self, reason = "the places of the other backends say different things")]
    pub(super) fn place(&self) -> ServicePlace {
        ServicePlace::Cloud
    }

    pub(super) fn open(&self, node: &Node) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
        let variable = |(name, value): (&String, &String)| (OsString::from(name), OsString::from(value));
        let access = StoreAccess::of(node.variables.iter().map(variable));
        let failed = |error: Error| InvalidKeyValueUrl::Client { reason: error.to_string() };
        let requests = Requests(objects_sent_once(&self.0, &access).map_err(failed)?);
        Ok(Arc::new(S3KeyValue { requests, turns: Turns::default(), proven: OnceCell::new() }))
    }
}

/// A key-value store in S3.
struct S3KeyValue {
    requests: Requests,
    turns: Turns,
    /// Whether the service keeps writers from undoing each other's work, once that is known.
    proven: OnceCell<()>,
}

/// The object that [`S3KeyValue::prove`] writes.
const PROOF: &str = "nebula-keyvalue.json";

#[async_trait]
impl KeyValue for S3KeyValue {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ServiceError> {
        Ok(self.read(key).await?.value)
    }

    async fn exists(&self, key: &str) -> Result<bool, ServiceError> {
        Ok(self.requests.head(&Object::of(key).path).await?.is_some())
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), ServiceError> {
        self.requests.overwrite(&Object::of(key), value).await
    }

    async fn delete(&self, key: &str) -> Result<(), ServiceError> {
        self.requests.delete(&Object::of(key).path).await
    }

    async fn swap(&self, key: &str, expected: Option<&[u8]>, value: Bytes) -> Result<bool, ServiceError> {
        self.prove().await?;
        versioned::swap(self, key, expected, value).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, ServiceError> {
        self.prove().await?;
        versioned::increment(self, key, delta).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, ServiceError> {
        several::get(self, keys).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), ServiceError> {
        several::set(self, entries).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), ServiceError> {
        several::delete(self, keys).await
    }

    /// The cursor is the name of the last object of its page: S3 lists objects in the order of their names.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, ServiceError> {
        let start = beginning(prefix);
        let after = cursor.filter(|cursor| cursor.starts_with(&start)).unwrap_or(&start);
        let paths = self.requests.list(&start, after, MAX_PAGE).await?;
        let cursor = paths.last().filter(|_| paths.len() == MAX_PAGE).map(Path::to_string);
        let mut keys = Vec::with_capacity(paths.len());
        for path in &paths {
            keys.extend(self.key(path).await?.filter(|key| key.starts_with(prefix)));
        }
        Ok(Page { keys, cursor })
    }
}

#[async_trait]
impl Versioned for S3KeyValue {
    type Version = Option<UpdateVersion>;
    const PAUSE: Duration = Duration::from_millis(10);

    fn turns(&self) -> &Turns {
        &self.turns
    }

    async fn read(&self, key: &str) -> Result<Found<Option<UpdateVersion>>, ServiceError> {
        self.requests.get(&Object::of(key).path).await
    }

    async fn write_if(&self, key: &str, version: Option<UpdateVersion>, value: Bytes) -> Result<bool, ServiceError> {
        let mode = version.map_or(PutMode::Create, PutMode::Update);
        self.requests.put_if(&Object::of(key), value, mode).await
    }
}

impl S3KeyValue {
    /// The key of a listed object; nothing if the object is not one of a key.
    async fn key(&self, path: &Path) -> Result<Option<String>, ServiceError> {
        match listed(path) {
            Listed::Key(key) => Ok(Some(key)),
            Listed::Cut => Ok(self.requests.head(path).await?.as_ref().and_then(key_of)),
            Listed::Other => Ok(None),
        }
    }

    /// Refuses a service that ignores the condition of a write, before the first such write: two writers would undo each
    /// other's work.
    async fn prove(&self) -> Result<(), ServiceError> {
        self.proven.get_or_try_init(|| self.require_conditions()).await.copied()
    }

    async fn require_conditions(&self) -> Result<(), ServiceError> {
        let proof = Object { path: Path::from(PROOF), attributes: Attributes::new() };
        let value = || Bytes::from_static(b"{}\n");
        // The first time it may be written; then it is there.
        self.requests.put_if(&proof, value(), PutMode::Create).await?;
        let another = UpdateVersion { e_tag: Some("\"another\"".to_owned()), version: Some("0".to_owned()) };
        for mode in [PutMode::Create, PutMode::Update(another)] {
            if self.requests.put_if(&proof, value(), mode).await? {
                let detail = "the key-value service does not keep writers from undoing each other's work, so its values \
                              cannot be swapped or incremented";
                return Err(ServiceError::unavailable(detail, "it ignores If-None-Match or If-Match"));
            }
        }
        Ok(())
    }
}
