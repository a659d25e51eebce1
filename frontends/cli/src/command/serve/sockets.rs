//! On which sockets a server listens, and when it stops because no client uses them.

use std::future::pending;

use nebula_http::{Metrics, OpenConnections, ServerConfig, Shutdown};

use super::Serve;
use crate::{
    admin::AdminServer,
    config::Config,
    failure::Failure,
    listening::Listening,
    systemd::{self, PassedSockets},
    values::Timeout,
};

impl Serve {
    /// Takes the sockets that systemd has passed. Called before the process has threads.
    ///
    /// # Errors
    /// If one of them cannot be used.
    pub(crate) fn take_passed(&mut self) -> Result<(), Failure> {
        self.passed = PassedSockets::take()?;
        Ok(())
    }

    /// Listens for callers of functions, and for the admin API if it is wanted.
    pub(super) async fn listen(
        &mut self,
        config: &Config,
        open: &OpenConnections,
    ) -> Result<(Listening, Option<AdminServer>), Failure> {
        let tls = config.tls.as_ref();
        let listening = match self.passed.public.take() {
            Some(socket) => Listening::passed(socket, tls)?,
            None => Listening::bind(self.listen.clone(), tls).await?,
        };
        let listening = match config.proxy_protocol {
            true => listening.with_proxy_protocol(config.proxies()),
            false => listening,
        };
        Ok((listening.counted_in(open), self.listen_for_admin(config, open).await?))
    }

    async fn listen_for_admin(
        &mut self,
        config: &Config,
        open: &OpenConnections,
    ) -> Result<Option<AdminServer>, Failure> {
        let tls = config.admin.tls.as_ref();
        let (listening, written) = match (self.passed.admin.take(), &self.admin) {
            (Some(socket), _) => {
                (Listening::passed(socket, tls)?, "the socket of systemd for the admin API".to_owned())
            }
            (None, Some(address)) => (Listening::bind(address.clone(), tls).await?, format!("--admin {address}")),
            (None, None) => return Ok(None),
        };
        AdminServer::new(listening.counted_in(open), &written, self.tokens.file()?, &config.admin).map(Some)
    }

    /// The settings of the public address. An idle connection does not keep an idle server running for longer than the
    /// server waits.
    pub(super) fn settings(&self, config: &Config) -> ServerConfig {
        let ServerConfig { idle_timeout, compress, .. } = ServerConfig::default();
        ServerConfig {
            idle_timeout: self.exit_idle.map_or(idle_timeout, |time| idle_timeout.min(time.0)),
            compress: config.compress.unwrap_or(compress),
            ..ServerConfig::default()
        }
    }

    /// Asks to stop when the server was idle for long enough, and tells systemd when it stops.
    pub(super) fn stopping(
        &self,
        open: OpenConnections,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> impl Future<Output = ()> + use<> {
        let exit_idle = self.exit_idle;
        async move {
            tokio::select! {
                () = idle(exit_idle, &open, &metrics) => {
                    tracing::info!("draining: there was no connection for the time of --exit-idle");
                    shutdown.drain();
                }
                () = shutdown.draining() => {}
            }
            systemd::notify_stopping();
        }
    }
}

/// Waits until no connection was open for this long and no guest runs. Forever if there is no such time.
async fn idle(time: Option<Timeout>, open: &OpenConnections, metrics: &Metrics) {
    let Some(Timeout(time)) = time else { return pending().await };
    loop {
        open.idle_for(time).await;
        // A guest may run on after its response, which then has no connection any more.
        if !metrics.are_guests_running() {
            return;
        }
    }
}
