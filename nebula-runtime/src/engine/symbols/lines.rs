//! The lines that stand behind places in a module's code.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    spawn,
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::{
    debug_info::{self, FoundLines},
    frame::{CodeFrame, CodeSite, SourceFrame},
    work::DebugInfoError,
};
use crate::{
    function::Digest,
    store::{Store, StoreError},
    sync::lock,
};

/// How long an invocation that failed waits for its lines. If they take longer, the next one has them.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long nothing is looked up after the store could not be read.
const PAUSE: Duration = Duration::from_secs(10);

/// How many places of a module are remembered. A guest fails at few places.
const REMEMBERED: usize = 1_024;

/// The places for look-ups in this process: one, because debug information takes many times its size in memory.
static PLACES: Semaphore = Semaphore::const_new(1);

/// The lines of one module.
pub(super) struct Lines {
    module: Source,
    known: Arc<Mutex<Known>>,
}

/// Where a module is read.
#[derive(Clone)]
enum Source {
    Stored(Store, Digest),
    Given(Bytes),
}

/// What is known of a module's lines.
#[derive(Default)]
struct Known {
    /// The lines of a place; none if the debug information does not tell.
    sites: HashMap<CodeSite, Arc<[SourceFrame]>>,
    availability: Availability,
}

/// Whether looking up more places is worthwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Availability {
    #[default]
    Unknown,
    /// The module has no debug information, or none that can be read in time.
    Never,
    /// The store could not be read.
    NotBefore(Instant),
}

impl Lines {
    pub(super) fn new(store: &Store, module: Digest) -> Self {
        Self { module: Source::Stored(store.clone(), module), known: Arc::default() }
    }

    pub(super) fn of_module(wasm: Bytes) -> Self {
        Self { module: Source::Given(wasm), known: Arc::default() }
    }

    /// The lines of those frames whose lines are known or are found soon.
    pub(super) async fn find(&self, frames: &[CodeFrame]) -> HashMap<CodeSite, Arc<[SourceFrame]>> {
        let mut sites: Vec<_> = frames.iter().filter_map(|frame| frame.site).collect();
        let missing = lock(&self.known).missing(&sites);
        if !missing.is_empty() {
            // A task of its own: it goes on, and the next invocation has its result.
            let looking_up = spawn(look_up(self.module.clone(), Arc::clone(&self.known), missing));
            let _ = timeout(PATIENCE, looking_up).await;
        }
        let known = lock(&self.known);
        sites.retain(|site| known.sites.contains_key(site));
        sites.into_iter().filter_map(|site| Some((site, Arc::clone(known.sites.get(&site)?)))).collect()
    }
}

impl Lines {
    /// The lines of many places at once. Waits until they are found, and remembers none.
    pub(super) async fn find_all(&self, sites: Vec<CodeSite>) -> FoundLines {
        // The semaphore is never closed.
        let place = PLACES.acquire().await;
        let Ok(wasm) = self.module.read().await else { return FoundLines::new() };
        let found = spawn_blocking(move || {
            let _place = place;
            debug_info::find(&wasm, &sites)
        });
        // A panic counts as debug information that cannot be read.
        found.await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

/// Reads the debug information of a module, and notes the lines of these places.
async fn look_up(module: Source, known: Arc<Mutex<Known>>, sites: Vec<CodeSite>) {
    // The semaphore is never closed.
    let place = PLACES.acquire().await;
    // Another look-up may have found them meanwhile.
    let sites = lock(&known).missing(&sites);
    if sites.is_empty() {
        return;
    }
    let Ok(wasm) = module.read().await else {
        lock(&known).availability = Availability::NotBefore(Instant::now() + PAUSE);
        return;
    };
    // A panic counts as debug information that cannot be read.
    let found = spawn_blocking(move || {
        let _place = place;
        debug_info::find(&wasm, &sites).map(|found| (sites, found))
    });
    match found.await.unwrap_or(Err(DebugInfoError::TooMuchWork)) {
        Ok((sites, found)) => lock(&known).note(&sites, found),
        Err(_) => lock(&known).availability = Availability::Never,
    }
}

impl Source {
    async fn read(&self) -> Result<Bytes, StoreError> {
        match self {
            Self::Stored(store, module) => store.module(module).await,
            Self::Given(wasm) => Ok(wasm.clone()),
        }
    }
}

impl Known {
    /// The places of these that are not known and are worth a look-up.
    fn missing(&self, sites: &[CodeSite]) -> Vec<CodeSite> {
        let is_open = match self.availability {
            Availability::Unknown => true,
            Availability::Never => false,
            Availability::NotBefore(time) => Instant::now() >= time,
        };
        let missing: HashSet<_> = sites.iter().filter(|site| is_open && !self.sites.contains_key(site)).collect();
        missing.into_iter().copied().collect()
    }

    fn note(&mut self, sites: &[CodeSite], mut found: FoundLines) {
        if self.sites.len() + sites.len() > REMEMBERED {
            self.sites.clear();
        }
        let lines = sites.iter().map(|site| (*site, found.remove(site).unwrap_or_default().into()));
        self.sites.extend(lines);
    }
}
