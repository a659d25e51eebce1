//! Blobs that are the objects of an `object_store`.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutOptions,
    PutPayload, memory::InMemory, path::Path,
};

use super::{
    contract::{BlobContent, BlobInfo, BlobRange, BlobStream, Blobs},
    file,
    names::Naming,
    objects::{Objects, failed, is_missing},
    parts::Parts,
    upload::Upload,
};
use crate::host::failure::ServiceError;

/// Blobs that are the objects of an `object_store`: in memory, in a folder, or in a bucket of a service.
///
/// - Cheap to clone. Clones share the blobs.
#[derive(Clone)]
pub struct ObjectBlobs {
    objects: Objects,
    naming: Naming,
}

/// The size of the parts in which a service takes a large blob. S3 takes up to 10,000 parts, of at least 5 MiB, and
/// some other servers only parts of equal size. So a blob may have 80 GB.
const PART: usize = 8 << 20;

/// The size of the pieces in which a blob is written to a file.
const PIECE: usize = 256 << 10;

/// The largest object that S3 copies by itself.
const LARGEST_COPY: u64 = 5 << 30;

impl ObjectBlobs {
    /// Blobs in the memory of the process. They end with the last clone.
    pub fn memory() -> Self {
        Self { objects: Objects::Here(Arc::new(InMemory::new())), naming: Naming::Plain }
    }

    /// Blobs that are the objects of another `object_store`.
    pub fn over(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects: Objects::Here(objects), naming: Naming::Plain }
    }

    /// Blobs that are files of a folder. The folder is made at the first operation that writes, and has
    /// nothing else.
    #[cfg(feature = "folder")]
    pub fn folder(path: impl Into<std::path::PathBuf>) -> Self {
        let folder = super::folder::Folder::new(path.into());
        Self { objects: Objects::Folder(Arc::new(folder)), naming: Naming::File }
    }

    /// Blobs that are the objects of a service, which may not answer.
    pub(super) fn shared(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects: Objects::Shared(objects), naming: Naming::Plain }
    }

    /// The bytes that were asked for, as they come.
    fn content(&self, found: GetResult) -> BlobContent {
        let size = found.range.end - found.range.start;
        let bytes = match found.payload {
            GetResultPayload::File(file, _) => return BlobContent { size, bytes: file::read(file, found.range) },
            GetResultPayload::Stream(bytes) => bytes,
        };
        let objects = self.objects.clone();
        let bytes = stream::try_unfold(bytes, move |mut bytes| {
            let objects = objects.clone();
            async move {
                let next = objects.in_time(0, bytes.next()).await?;
                let next = next.transpose().map_err(|error| failed("read a blob", error))?;
                Ok(next.map(|next| (next, bytes)))
            }
        });
        BlobContent { size, bytes: bytes.boxed() }
    }

    /// Writes a blob that has more than one part.
    async fn put_parts(
        &self,
        objects: &dyn ObjectStore,
        path: &Path,
        first: PutPayload,
        parts: &mut Parts,
    ) -> Result<(), ServiceError> {
        let failed = |error| failed("write a blob", error);
        let mut upload = Upload::new(self.objects.in_time(0, objects.put_multipart(path)).await?.map_err(failed)?);
        let mut next = Some(first);
        while let Some(part) = next {
            let size = part.content_length() as u64;
            self.objects.in_time(size, upload.put_part(part)).await?.map_err(failed)?;
            next = parts.next().await?;
        }
        self.objects.in_time(0, upload.complete()).await?.map_err(failed)
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn get(&self, name: &str, range: BlobRange) -> Result<Option<BlobContent>, ServiceError> {
        let path = self.naming.path(name)?;
        if range.is_empty() {
            return Ok(self.info(name).await?.map(|_| BlobContent::empty()));
        }
        let objects = self.objects.open_to_read().await?;
        let options = GetOptions { range: requested(range), ..GetOptions::default() };
        match self.objects.in_time(0, objects.get_opts(&path, options)).await? {
            Ok(found) => Ok(Some(self.content(found))),
            Err(error) if is_missing(&error) => Ok(None),
            // A range that begins behind the end is an error for most services, and each has its own.
            Err(error) => match self.info(name).await? {
                Some(info) if range.of(info.size).is_empty() => Ok(Some(BlobContent::empty())),
                _ => Err(failed("read a blob", error)),
            },
        }
    }

    async fn put(&self, name: &str, content: BlobStream) -> Result<u64, ServiceError> {
        let path = self.naming.path(name)?;
        let objects = self.objects.open().await?;
        let mut parts = Parts::new(content, if self.objects.is_folder() { PIECE } else { PART });
        let first = parts.next().await?.unwrap_or_default();
        if parts.is_ended() {
            let put = objects.put_opts(&path, first, PutOptions::default());
            self.objects.in_time(parts.read, put).await?.map_err(|error| failed("write a blob", error))?;
        } else {
            self.put_parts(&*objects, &path, first, &mut parts).await?;
        }
        Ok(parts.read)
    }

    async fn delete(&self, name: &str) -> Result<(), ServiceError> {
        let path = self.naming.path(name)?;
        let objects = self.objects.open_to_read().await?;
        match self.objects.in_time(0, objects.delete(&path)).await? {
            Err(error) if !is_missing(&error) => Err(failed("delete a blob", error)),
            _ => Ok(()),
        }
    }

    async fn info(&self, name: &str) -> Result<Option<BlobInfo>, ServiceError> {
        let path = self.naming.path(name)?;
        let objects = self.objects.open_to_read().await?;
        match self.objects.in_time(0, objects.head(&path)).await? {
            Ok(meta) => Ok(Some(info(name.to_owned(), &meta))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed("look at a blob", error)),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<BlobInfo, ServiceError>> {
        let (objects, naming, prefix) = (self.objects.clone(), self.naming, prefix.to_owned());
        let folder = naming.folder(&prefix);
        let listed = stream::once(async move {
            let listed = objects.open_to_read().await?.list(Some(&folder));
            Ok::<_, ServiceError>(stream::try_unfold(listed, move |mut listed| {
                let objects = objects.clone();
                async move {
                    let next = objects.in_time(0, listed.next()).await?;
                    let next = next.transpose().map_err(|error| failed("list its blobs", error))?;
                    Ok(next.map(|next| (next, listed)))
                }
            }))
        });
        let named = move |meta: ObjectMeta| {
            let name = naming.name(&meta.location).filter(|name| name.starts_with(&prefix));
            future::ok(name.map(|name| info(name, &meta)))
        };
        listed.try_flatten().try_filter_map(named).boxed()
    }

    async fn copy(&self, from: &str, to: &str) -> Result<bool, ServiceError> {
        let Some(BlobInfo { size, .. }) = self.info(from).await? else { return Ok(false) };
        if from == to {
            return Ok(true);
        }
        // `object_store` copies a file by a link: the copy would have the time of the original, and a second copy
        // leaves a file behind.
        if self.objects.is_folder() || size > LARGEST_COPY {
            let Some(content) = self.get(from, BlobRange::ALL).await? else { return Ok(false) };
            self.put(to, content.bytes).await?;
            return Ok(true);
        }
        let (from, to) = (self.naming.path(from)?, self.naming.path(to)?);
        let objects = self.objects.open().await?;
        match self.objects.in_time(size, objects.copy(&from, &to)).await? {
            Ok(()) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(failed("copy a blob", error)),
        }
    }
}

impl fmt::Debug for ObjectBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBlobs").field("naming", &self.naming).finish_non_exhaustive()
    }
}

/// The range that a service is asked for. Some servers do not understand an end of more than 63 bits.
fn requested(range: BlobRange) -> Option<GetRange> {
    match (range.first(), range.last()) {
        (0, last) if i64::try_from(last).is_err() => None,
        (first, last) if i64::try_from(last).is_err() => Some(GetRange::Offset(first)),
        (first, last) => Some(GetRange::Bounded(first..last + 1)),
    }
}

fn info(name: String, meta: &ObjectMeta) -> BlobInfo {
    BlobInfo { name, size: meta.size, created: meta.last_modified.into() }
}
