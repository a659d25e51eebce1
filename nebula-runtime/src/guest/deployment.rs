//! One version of a function, ready to be called.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{idle::IdleInstances, results::Results};
use crate::{
    call::{Caller, Deployed, Gate, Occupancy, Overload, RateLimit, Resolved},
    engine::{CodeKey, Symbols, TimeLimit},
    function::{Digest, FunctionName, Limits},
    host::{Granted, Services},
    store::{Manifest, Store},
};

/// One version of a function, with all that is set up once to call it.
pub(crate) struct Deployment {
    pub(crate) resolved: Resolved,
    pub(crate) manifest: Manifest,
    pub(crate) manifest_digest: Digest,
    /// The code that it runs.
    pub(crate) code: CodeKey,
    /// The gate of the function's own `concurrency`.
    pub(crate) gate: Gate,
    /// How many invocations have a place of the server and are not at that gate yet.
    promised: AtomicU64,
    /// The last round in which invocations began, and how many.
    in_round: AtomicU64,
    /// The limit of the function's own `rate`, if it has one.
    rate: Option<RateLimit>,
    /// The host services that the function is granted.
    pub(crate) granted: Arc<Granted>,
    /// Names and lines for the stack of a guest that fails.
    pub(crate) symbols: Arc<Symbols>,
    /// The instances that wait for their next request.
    pub(crate) idle: OnceLock<Arc<IdleInstances>>,
    /// Where the function's results are kept, if they are.
    pub(super) results: Option<Arc<Results>>,
}

impl Deployment {
    /// The version `number` of the function `name`, under `limits`, on the node with these services. Its code is in
    /// `store`.
    pub(crate) fn new(
        name: &FunctionName,
        number: u64,
        (manifest_digest, manifest): (Digest, Manifest),
        limits: Limits,
        (store, services): (&Store, &Services),
    ) -> Self {
        let Manifest { module, kind, config, .. } = &manifest;
        let symbols = Arc::new(Symbols::new(store, manifest.code()));
        let resolved = Resolved {
            name: name.clone(),
            version: number,
            digest: *module,
            kind: *kind,
            config: config.clone(),
            limits,
        };
        let code = CodeKey::of(manifest.code(), config);
        let granted = Arc::new(Granted::set_up(name, &resolved.config, services));
        let gate = Gate::new(limits.concurrency, Overload::Function);
        let rate = limits.rate.map(RateLimit::new);
        let (promised, in_round, idle, results) = (AtomicU64::new(0), AtomicU64::new(0), OnceLock::new(), None);
        Self {
            resolved,
            manifest,
            manifest_digest,
            code,
            gate,
            promised,
            in_round,
            rate,
            granted,
            symbols,
            idle,
            results,
        }
    }

    /// The same version, whose results are kept in `results` if its configuration asks for that.
    pub(crate) fn with_results(mut self, results: &Arc<Results>) -> Self {
        self.results = self.resolved.config.cache.map(|_| Arc::clone(results));
        self
    }

    /// How long a guest may run for `caller`.
    pub(super) fn time_limit(&self, caller: &Caller) -> TimeLimit {
        TimeLimit { timeout: self.resolved.limits.timeout, deadline: caller.deadline }
    }
}

impl Deployed for Deployment {
    fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    fn rate(&self) -> Option<&RateLimit> {
        self.rate.as_ref()
    }

    fn begun(&self) -> u64 {
        let Occupancy { taken, waiting, .. } = self.gate.occupancy();
        taken + waiting + self.promised.load(Relaxed)
    }

    fn promised(&self) -> &AtomicU64 {
        &self.promised
    }

    fn in_round(&self) -> &AtomicU64 {
        &self.in_round
    }
}
