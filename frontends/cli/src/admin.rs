//! The admin API of `nebula serve`.

use std::sync::Arc;

use nebula_admin::{Admin, RecentInvocations, TokenFile};
use nebula_http::{ServerConfig, Shutdown, Stopped};
use nebula_runtime::{ByteSize, Runtime, Services};
use tokio::{select, time::timeout};

use crate::{config::AdminSettings, failure::Failure, listening::Listening};

/// The admin API, which listens and does not serve yet.
pub(crate) struct AdminServer {
    listening: Listening,
    tokens: TokenFile,
    max_upload: ByteSize,
    recent: RecentInvocations,
}

/// Connections of the admin API at once. The rest is for callers of functions.
const CONNECTIONS: usize = 64;

impl AdminServer {
    /// Serves on `listening`. `written` says where that is, as an administrator wrote it.
    ///
    /// # Errors
    /// If other machines reach the address and there is no certificate.
    pub(crate) fn new(
        listening: Listening,
        written: &str,
        tokens: TokenFile,
        settings: &AdminSettings,
    ) -> Result<Self, Failure> {
        if !listening.is_secure() && listening.is_open() {
            return Err(Failure::Usage(format!(
                "{written} can be reached from other machines, and tokens would be sent there unencrypted: set \
                 tls = {{ cert = \"…\", key = \"…\" }} in [admin] of nebula.toml, or listen on 127.0.0.1 behind a proxy \
                 that has a certificate"
            )));
        }
        let max_upload = settings.max_upload.unwrap_or(Admin::MAX_UPLOAD);
        Ok(Self { listening, tokens, max_upload, recent: RecentInvocations::new() })
    }

    /// The last invocations, which the API shows.
    pub(crate) fn recent(&self) -> &RecentInvocations {
        &self.recent
    }

    /// Where the API is, and how a first token is made.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("the admin API is at {}", self.listening.url())];
        if self.tokens.tokens().is_ok_and(|tokens| tokens.is_empty()) {
            lines.push(
                "it lets nobody in yet: nebula token create NAME --rights read,publish,alias makes a token".to_owned(),
            );
        }
        lines
    }

    /// Serves until `shutdown` asks to stop.
    pub(crate) async fn serve(self, runtime: Arc<Runtime>, services: Services, shutdown: Shutdown) -> Stopped {
        let Self { listening, tokens, max_upload, recent } = self;
        let config = ServerConfig { max_connections: Some(CONNECTIONS), ..ServerConfig::default() };
        let admin = Admin::new(runtime, tokens).with_services(services).with_max_upload(max_upload);
        let (admin, grace) = (admin.with_invocations(recent), config.grace);
        let changes = admin.changes();
        let stopped = nebula_http::serve(listening.into_listener(), admin.router(), config, shutdown.clone()).await;
        select! {
            _ = timeout(grace, changes.ended()) => {}
            () = shutdown.quitting() => {}
        }
        stopped
    }
}
