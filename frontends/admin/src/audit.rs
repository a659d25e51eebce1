//! The audit: a line of the log for each change, and for each attempt that was refused.

use std::net::IpAddr;

use nebula_runtime::{AliasName, FunctionName, ServiceName};

use crate::problem::{Kind, Problem};

/// Something that a client attempts. Its end is logged once. If it is dropped without an end, its client has left.
pub(crate) struct Attempt {
    line: Option<Line>,
}

/// What the line says besides the outcome.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// The name of the token; empty if no token was recognised.
    pub(crate) token: String,
    pub(crate) peer: Option<IpAddr>,
    /// What is attempted: `publish`.
    pub(crate) action: &'static str,
    pub(crate) function: Option<FunctionName>,
    /// The alias that is meant, if one is.
    pub(crate) alias: Option<AliasName>,
    /// The version that is meant, or was made.
    pub(crate) version: Option<u64>,
    /// The service that is meant, if one is.
    pub(crate) service: Option<ServiceName>,
    /// The key or the name of a blob in the service.
    pub(crate) key: Option<String>,
}

impl Attempt {
    pub(crate) fn begin(line: Line) -> Self {
        Self { line: Some(line) }
    }

    /// The version that the attempt has made.
    pub(crate) fn made(&mut self, version: u64) {
        self.line.iter_mut().for_each(|line| line.version = Some(version));
    }

    /// Logs the end of the attempt: `result` is what became of it, or why nothing did.
    pub(crate) fn end(mut self, result: Result<&str, &Problem>) {
        match result {
            Ok(outcome) => self.log("done", outcome),
            // The rest of a long reason is for the client.
            Err(problem) => self.log(problem.kind().as_str(), problem.detail().lines().next().unwrap_or_default()),
        }
    }

    fn log(&mut self, outcome: &str, detail: &str) {
        let Some(line) = self.line.take() else { return };
        let Line { token, peer, action, function, alias, version, service, key } = line;
        let peer = peer.map(tracing::field::display);
        let (function, alias) = (function.as_ref().map(FunctionName::as_str), alias.as_ref().map(AliasName::as_str));
        let service = service.as_ref().map(ServiceName::as_str);
        tracing::info!(
            target: "nebula::audit",
            token, action, function, alias, version, service, key, outcome, detail, peer, "audit"
        );
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.log(Kind::BrokenOff.as_str(), "the client left before the request was complete");
    }
}
