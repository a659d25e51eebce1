//! Azure Blob Storage: azurite, Microsoft's own server for tests.

use crate::process::{Process, node};

/// The account that azurite has, and its key, which everybody knows.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A server of Azure Blob Storage. It ends when this is dropped.
pub struct AzureServer(Process);

impl AzureServer {
    /// Starts the server with a container of this name; `None` where azurite is not installed. In CI it has to be.
    pub fn start(container: &str) -> Option<Self> {
        let mut command = node("azure.js", "azurite");
        Process::start("Azure Blob Storage", "ci/azurite.sh", command.arg(container)).map(Self)
    }

    /// The variables that a client reaches the server with.
    pub fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("AZURE_STORAGE_ENDPOINT", format!("http://{}/{ACCOUNT}", self.0.address())),
            ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT.to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", KEY.to_owned()),
        ]
    }
}
