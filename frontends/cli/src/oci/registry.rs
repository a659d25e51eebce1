//! Requests to a registry.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential};
use futures_util::TryStreamExt as _;
use http::HeaderValue;
use nebula_runtime::{ByteSize, Digest};
use oci_client::{
    Client, Reference,
    client::{ClientConfig, ClientProtocol},
    errors::{OciDistributionError, Result},
    manifest::OciDescriptor,
    secrets::RegistryAuth,
};
use rustls::crypto::ring;
use tokio::{task::spawn_blocking, time::timeout};

use super::{
    descriptor::{Descriptor, INDEX, MANIFEST},
    error::OciError,
    reference::OciReference,
};

/// How long a registry may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_secs(20);

/// How long a registry may take for a small answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How slowly a registry may give and take a blob: in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// Where Docker keeps the credentials of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// The repository of a reference, in its registry.
pub(super) struct Registry {
    client: Client,
    pub(super) reference: OciReference,
}

impl Registry {
    /// Sets a client up, with the credentials that `docker login` keeps. Nothing is sent yet.
    pub(super) async fn of(reference: &OciReference) -> std::result::Result<Self, OciError> {
        // The client finds its cryptography here. If the process has chosen one already, that is used.
        let _ = ring::default_provider().install_default();
        // On another machine, a listener between could change what is not signed.
        let plain = reference.is_loopback().then(|| reference.registry().to_owned());
        let protocol = ClientProtocol::HttpsExcept(plain.into_iter().collect());
        let config = ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE),
            user_agent: concat!("nebula/", env!("CARGO_PKG_VERSION")),
            platform_resolver: None,
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(OciError::Client)?;
        client.store_auth_if_needed(reference.whole().resolve_registry(), &credentials(reference).await?).await;
        Ok(Self { client, reference: reference.clone() })
    }

    /// The bytes of a manifest or of a list of manifests, if there is one.
    pub(super) async fn manifest(&self, at: &Reference) -> std::result::Result<Option<Bytes>, OciError> {
        let accepted = [MANIFEST, INDEX, "application/vnd.docker.distribution.manifest.v2+json"];
        // The credentials are known already.
        let pulled = self.client.pull_manifest_raw(at, &RegistryAuth::Anonymous, &accepted);
        match self.request("pull", at, ANSWER, pulled).await {
            Ok((bytes, _)) => Ok(Some(bytes)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A blob of at most `max` bytes. A blob that its descriptor says is larger is not asked for.
    pub(super) async fn blob(
        &self,
        what: &'static str,
        descriptor: &Descriptor,
        max: ByteSize,
    ) -> std::result::Result<Bytes, OciError> {
        let Descriptor { digest, size, .. } = descriptor;
        if *size > max.as_u64() {
            let (reference, size) = (self.reference.to_string(), ByteSize(*size));
            return Err(OciError::TooLarge { what, reference, size, max });
        }
        let read = self.read(*digest, *size);
        let bytes = self.request("pull a blob of", self.reference.whole(), transfer(*size), read).await?;
        if bytes.len() as u64 == *size && Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(OciError::Damaged { reference: self.reference.to_string(), digest: *digest })
        }
    }

    /// The bytes that the registry has for a digest, but no more than one beyond `size`.
    async fn read(&self, digest: Digest, size: u64) -> Result<Bytes> {
        let descriptor = OciDescriptor { digest: digest.to_string(), ..OciDescriptor::default() };
        let mut stream = self.client.pull_blob_stream(self.reference.whole(), &descriptor).await?.stream;
        let mut bytes = BytesMut::new();
        while let Some(more) = stream.try_next().await? {
            bytes.extend_from_slice(&more);
            if bytes.len() as u64 > size {
                break;
            }
        }
        Ok(bytes.freeze())
    }

    /// Writes a blob, unless the registry has it.
    pub(super) async fn push_blob(&self, bytes: Bytes) -> std::result::Result<(), OciError> {
        let (at, digest, time) = (self.reference.whole(), Digest::of(&bytes).to_string(), transfer(bytes.len() as u64));
        let push = async {
            if !self.client.blob_exists(at, &digest).await? {
                self.client.push_blob(at, bytes, &digest).await?;
            }
            Ok(())
        };
        self.request("push a blob of", at, time, push).await
    }

    /// Writes a manifest or a list of manifests.
    pub(super) async fn push_manifest(
        &self,
        at: &Reference,
        bytes: Bytes,
        media_type: &'static str,
    ) -> std::result::Result<(), OciError> {
        let push = self.client.push_manifest_raw(at, bytes, HeaderValue::from_static(media_type));
        self.request("push", at, ANSWER, push).await.map(drop)
    }

    /// The manifests that name the one with this digest as their subject, and have this artifact type.
    pub(super) async fn referrers(
        &self,
        digest: &Digest,
        artifact_type: &str,
    ) -> std::result::Result<Vec<Digest>, OciError> {
        let at = self.reference.at(digest);
        let listed = self.client.pull_referrers(&at, Some(artifact_type));
        let entries = match self.request("list the signatures of", &at, ANSWER, listed).await {
            Ok(index) => index.manifests,
            Err(error) if error.is_not_found() => Vec::new(),
            Err(error) => return Err(error),
        };
        // A registry may ignore the filter.
        let is_wanted = |found: &Option<String>| found.as_deref().is_none_or(|found| found == artifact_type);
        let wanted = entries.iter().filter(|entry| is_wanted(&entry.artifact_type));
        Ok(wanted.filter_map(|entry| entry.digest.parse().ok()).collect())
    }

    /// The result of a request, if that comes in time.
    async fn request<T>(
        &self,
        action: &'static str,
        at: &Reference,
        time: Duration,
        request: impl Future<Output = Result<T>>,
    ) -> std::result::Result<T, OciError> {
        let (reference, registry) = (format!("oci://{at}"), self.reference.registry());
        match timeout(time, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(OciError::of(action, reference, registry, error)),
            Err(_) => Err(OciError::late(action, reference, registry, time)),
        }
    }
}

/// How long a registry may take for so many bytes.
fn transfer(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST)
}

/// The credentials of a registry. A helper of Docker's may have them, which is a program.
async fn credentials(reference: &OciReference) -> std::result::Result<RegistryAuth, OciError> {
    use CredentialRetrievalError::{ConfigNotFound, ConfigReadError, NoCredentialConfigured};

    let registry = reference.registry().to_owned();
    let server = if registry == "docker.io" { DOCKER_HUB.to_owned() } else { registry.clone() };
    let failed =
        |error: tokio::task::JoinError| OciError::Client(OciDistributionError::GenericError(Some(error.to_string())));
    match spawn_blocking(move || get_credential(&server)).await.map_err(failed)? {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => Err(OciError::IdentityToken { registry }),
        Err(ConfigNotFound | ConfigReadError | NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
        // A helper that has none for this registry says so, and public artifacts need none.
        Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains("not found") => {
            Ok(RegistryAuth::Anonymous)
        }
        Err(source) => Err(OciError::Credentials { registry, source }),
    }
}
