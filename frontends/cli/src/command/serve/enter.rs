//! How a server enters its sandbox.

use nebula_runtime::stderr;

use super::Serve;
use crate::{
    compiler,
    config::Config,
    failure::Failure,
    first_process::EndsAtSignals,
    global::Global,
    print,
    publish::{build_missing, is_build_missing},
    sandbox::{Entered, Policy, Sandbox},
    services, start,
};

impl Serve {
    /// Starts the processes that compile the server's modules.
    pub(crate) fn start_compiler(&mut self) {
        self.compiler = compiler::start();
    }

    /// Enters the sandbox, unless the server watches files: it then runs builds, which need all that its user may do.
    ///
    /// # Errors
    /// The configuration is wrong, a file cannot be built, or the sandbox is required and cannot be entered.
    pub(crate) fn enter_sandbox(&mut self, global: &Global) -> Result<(), Failure> {
        if self.no_sandbox || self.watch {
            return Ok(());
        }
        let sandbox = self.prepare_sandbox(global)?;
        // It may have written lines of builds.
        stderr::end_thread();
        match sandbox.enter() {
            Ok(Entered::Whole) => {}
            Ok(Entered::WithoutPorts) => {
                tracing::warn!("the sandbox does not restrict ports: that needs Linux 6.7");
            }
            Err(error) if self.sandbox => return Err(Failure::Sandbox(error)),
            Err(error) => {
                let reason = print::chain(&error);
                tracing::warn!("the server runs without a sandbox: {reason}");
                return Ok(());
            }
        }
        self.reach = Some(sandbox.reach);
        Ok(())
    }

    /// The sandbox for this server. Files that do not exist are built first: no program runs in the sandbox.
    fn prepare_sandbox(&mut self, global: &Global) -> Result<Sandbox, Failure> {
        let path = self.config_path()?;
        let config = path.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        if is_build_missing(&config.functions) {
            start::tokio_of_one_thread().block_on(async {
                let _ends = EndsAtSignals::start().map_err(Failure::Signals)?;
                build_missing(&config.functions).await
            })?;
        }
        let (node, services) = services::of_node(path.as_deref(), &config.services)?;
        let policy = Policy {
            store: &global.places.store_url()?,
            cache: global.places.code_cache().map(|cache| cache.path),
            config: &config,
            services: (&node, &services),
            tokens: (self.admin.is_some() || self.passed.admin.is_some())
                .then(|| self.tokens.file())
                .transpose()?
                .map(|file| file.path().to_owned()),
            listen: [Some(&self.listen), self.admin.as_ref()].into_iter().flatten().collect(),
        };
        let sandbox = policy.sandbox();
        self.read = Some(config);
        Ok(sandbox)
    }
}
