//! The credentials of registries, as `docker login` keeps them.

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential};
use tokio::task::spawn_blocking;

use super::{error::OciError, reference::OciReference};

/// Where Docker keeps the credentials of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A user and a password.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// The credentials of a registry, if there are any. A helper of Docker's may have them, which is a program.
pub(super) async fn credentials(reference: &OciReference) -> Result<Option<Credentials>, OciError> {
    use CredentialRetrievalError::{ConfigNotFound, ConfigReadError, NoCredentialConfigured};

    let registry = reference.registry().to_owned();
    let server = if registry == "docker.io" { DOCKER_HUB.to_owned() } else { registry.clone() };
    let found = spawn_blocking(move || get_credential(&server)).await;
    match found.map_err(|error| OciError::Client(error.into()))? {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Credentials { user, password })),
        Ok(DockerCredential::IdentityToken(_)) => Err(OciError::IdentityToken { registry }),
        Err(ConfigNotFound | ConfigReadError | NoCredentialConfigured) => Ok(None),
        // A helper that has none for this registry says so, and public artifacts need none.
        Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.contains("not found") => Ok(None),
        Err(source) => Err(OciError::Credentials { registry, source }),
    }
}
