//! Google Cloud Storage: fake-gcs-server, behind a translator (`servers/gcs.py`) from the XML API to its JSON API.

use crate::process::{Process, python};

/// A server of Google Cloud Storage. Its only token is `test`. It ends when this is dropped.
pub struct GcsServer(Process);

impl GcsServer {
    /// Starts the server with a bucket of this name; `None` where fake-gcs-server is not installed. In CI it has to be.
    pub fn start(bucket: &str) -> Option<Self> {
        let mut command = python("gcs.py", "fake-gcs-server");
        Process::start("Google Cloud Storage", "ci/fake-gcs-server.sh", command.arg(bucket)).map(Self)
    }

    /// The variables that a client reaches the server with.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [("GOOGLE_BASE_URL", format!("http://{}", self.0.address())), ("GOOGLE_BEARER_TOKEN", "test".to_owned())]
    }
}
