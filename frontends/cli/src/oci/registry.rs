//! What is asked of a registry (OCI distribution specification).
//!
//! Nebula has a client of its own, because a registry may be of a stranger: nothing that it answers is read without a limit,
//! and no answer is a panic. Blobs are pushed piece by piece from files.

use std::time::Duration;

use bytes::Bytes;
use http::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};
use nebula_runtime::{ByteSize, Digest};
use oci_spec::distribution::Reference;
use reqwest::{Body, Response, Url};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    answer::{RequestError, read, success},
    authorization::Access,
    blob::Blob,
    connection::Connection,
    descriptor::{Descriptor, INDEX, MANIFEST},
    error::OciError,
    reference::OciReference,
};

/// How long a registry may take for a small answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How long nothing may be sent or received. A registry that has a whole blob may take a while to store it.
const SILENCE: Duration = Duration::from_secs(60);

/// How slowly a registry may give and take a blob: in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// The largest manifest, and the largest list of manifests. Registries take no larger ones.
const MAX_MANIFEST: ByteSize = ByteSize::mib(4);

/// The repository of a reference, in its registry.
pub(super) struct Registry {
    connection: Connection,
    pub(super) reference: OciReference,
}

/// A list of the manifests that refer to another one.
#[derive(Default, Deserialize)]
struct Referrers {
    #[serde(default)]
    manifests: Vec<Referrer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    digest: String,
    artifact_type: Option<String>,
}

impl Registry {
    /// The repository of a reference. Nothing is sent yet.
    pub(super) async fn of(reference: &OciReference, access: Access) -> Result<Self, OciError> {
        let connection = Connection::new(reference, access).await?;
        Ok(Self { connection, reference: reference.clone() })
    }

    /// The bytes of a manifest or of a list of manifests, if there is one.
    pub(super) async fn manifest(&self, at: &Reference) -> Result<Option<Bytes>, OciError> {
        let bytes = match self.request("pull", at, ANSWER, self.get(&self.manifest_url(at), MAX_MANIFEST)).await {
            Err(error) if error.is_not_found() => return Ok(None),
            pulled => pulled?,
        };
        match at.digest().and_then(|digest| digest.parse().ok()) {
            Some(digest) if digest != Digest::of(&bytes) => Err(self.damaged(digest)),
            _ => Ok(Some(bytes)),
        }
    }

    /// A blob of at most `max` bytes. A blob that its descriptor says is larger is not asked for.
    pub(super) async fn blob(
        &self,
        what: &'static str,
        descriptor: &Descriptor,
        max: ByteSize,
    ) -> Result<Bytes, OciError> {
        let Descriptor { digest, size, .. } = descriptor;
        if *size > max.as_u64() {
            let (reference, size) = (self.reference.to_string(), ByteSize(*size));
            return Err(OciError::TooLarge { what, reference, size, max });
        }
        let url = self.url(&format!("blobs/{digest}"));
        // Of a blob that is larger than it should be, one byte more than that is enough to know it.
        let pulled = async {
            match self.get(&url, ByteSize(*size)).await {
                Err(RequestError::TooLarge(_)) => Ok(None),
                bytes => bytes.map(Some),
            }
        };
        let bytes = self.request("pull a blob of", self.reference.whole(), transfer(*size), pulled).await?;
        let is_whole = |bytes: &Bytes| bytes.len() as u64 == *size && Digest::of(bytes) == *digest;
        bytes.filter(is_whole).ok_or_else(|| self.damaged(*digest))
    }

    /// Writes a blob, unless the registry has it.
    pub(super) async fn push_blob(&self, blob: &Blob) -> Result<(), OciError> {
        let (at, time) = (self.reference.whole(), transfer(blob.size));
        self.request("push a blob of", at, time, async {
            match self.has(blob).await? {
                true => Ok(()),
                false => self.upload(blob).await,
            }
        })
        .await
    }

    /// Writes a manifest or a list of manifests.
    pub(super) async fn push_manifest(
        &self,
        at: &Reference,
        bytes: Bytes,
        media_type: &'static str,
    ) -> Result<(), OciError> {
        let url = self.manifest_url(at);
        let put = async {
            let prepare = |request: reqwest::RequestBuilder| {
                Ok(request.header(CONTENT_TYPE, media_type).body(Body::from(bytes.clone())))
            };
            success(self.connection.send(Method::PUT, &url, prepare).await?).await
        };
        self.request("push", at, ANSWER, put).await.map(drop)
    }

    /// The manifests that name the one with this digest as their subject, and have this artifact type.
    pub(super) async fn referrers(&self, digest: &Digest, artifact_type: &str) -> Result<Vec<Digest>, OciError> {
        let mut url = self.url(&format!("referrers/{digest}"));
        url.query_pairs_mut().append_pair("artifactType", artifact_type);
        let at = self.reference.at(digest);
        let listed = match self.request("list the signatures of", &at, ANSWER, self.get(&url, MAX_MANIFEST)).await {
            // A registry without that API has a list at a tag.
            Err(error) if error.is_not_found() => self.manifest(&self.reference.referrers_tag(digest)).await?,
            listed => Some(listed?),
        };
        let read = |bytes: Bytes| serde_json::from_slice::<Referrers>(&bytes).ok();
        let entries = listed.and_then(read).unwrap_or_default().manifests;
        // A registry may ignore the filter.
        let is_wanted = |found: &Option<String>| found.as_deref().is_none_or(|found| found == artifact_type);
        let wanted = entries.iter().filter(|entry| is_wanted(&entry.artifact_type));
        Ok(wanted.filter_map(|entry| entry.digest.parse().ok()).collect())
    }

    async fn get(&self, url: &Url, max: ByteSize) -> Result<Bytes, RequestError> {
        let accepted = format!("{MANIFEST}, {INDEX}, application/vnd.docker.distribution.manifest.v2+json, */*");
        let prepare = |request: reqwest::RequestBuilder| Ok(request.header(ACCEPT, &accepted));
        let response = success(self.connection.send(Method::GET, url, prepare).await?).await?;
        read(response, max, &self.connection.progress).await
    }

    async fn has(&self, blob: &Blob) -> Result<bool, RequestError> {
        let url = self.url(&format!("blobs/{}", blob.digest));
        let response = self.connection.send(Method::HEAD, &url, Ok).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        success(response).await.map(|_| true)
    }

    /// Uploads a blob by a `POST` and a `PUT`.
    async fn upload(&self, blob: &Blob) -> Result<(), RequestError> {
        let begin = self.url("blobs/uploads/");
        // Some registries want the length also of a request without a body, and the client does not send it by itself.
        let prepare = |request: reqwest::RequestBuilder| Ok(request.header(CONTENT_LENGTH, 0));
        let begun = success(self.connection.send(Method::POST, &begin, prepare).await?).await?;
        let mut url = location(&begin, &begun).ok_or(RequestError::NoLocation)?;
        url.query_pairs_mut().append_pair("digest", &blob.digest.to_string());
        let prepare = |request: reqwest::RequestBuilder| {
            let body = Body::wrap(blob.body(self.connection.progress.clone())?);
            Ok(request.header(CONTENT_TYPE, "application/octet-stream").body(body))
        };
        success(self.connection.send(Method::PUT, &url, prepare).await?).await.map(drop)
    }

    fn manifest_url(&self, at: &Reference) -> Url {
        let place = at.digest().or(at.tag()).unwrap_or("latest");
        self.url(&format!("manifests/{place}"))
    }

    fn url(&self, path: &str) -> Url {
        self.connection.url(&format!("v2/{}/{path}", self.reference.whole().repository()))
    }

    fn damaged(&self, digest: Digest) -> OciError {
        OciError::Damaged { reference: self.reference.to_string(), digest }
    }

    /// The result of a request, if that comes in time.
    async fn request<T>(
        &self,
        action: &'static str,
        at: &Reference,
        time: Duration,
        request: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, OciError> {
        let progress = &self.connection.progress;
        progress.note();
        let answered = match timeout(time, progress.unless_stalled(SILENCE, request)).await {
            Ok(Some(answered)) => answered,
            Ok(None) => Err(RequestError::Stalled(SILENCE)),
            Err(_) => Err(RequestError::Late(time)),
        };
        let (reference, registry) = (format!("oci://{at}"), self.reference.registry());
        answered.map_err(|error| OciError::of(action, reference, registry, error))
    }
}

/// Where a registry wants the bytes of a blob.
fn location(asked: &Url, response: &Response) -> Option<Url> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    asked.join(location).ok().filter(|url| !url.cannot_be_a_base())
}

/// How long a registry may take for so many bytes.
fn transfer(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST)
}
