//! References that stay on an earlier version, because this process cannot serve the new one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use tracing::field::display;

use crate::{
    call::{InvokeError, causes},
    function::{AliasTarget, Digest, FunctionName, FunctionRef, HeldBack, VersionRef},
    store::FunctionRecord,
};

/// What `latest` or an alias means: some versions, and the digests of their manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) target: AliasTarget,
    pub(super) manifests: BTreeMap<u64, Digest>,
}

/// Versions that this process cannot serve: why, or nothing for a version that is still being loaded.
pub(super) type Unready = BTreeMap<u64, Option<Arc<InvokeError>>>;

/// The references of one function that stay on what they meant before.
#[derive(Debug, Default)]
pub(super) struct Held {
    references: HashMap<VersionRef, Hold>,
    retry: Option<Retry>,
}

#[derive(Debug)]
struct Hold {
    /// What the reference means meanwhile.
    meaning: Meaning,
    wanted: Meaning,
    /// The version that cannot be served, and why; nothing where it is still being loaded.
    because: Option<(u64, Arc<InvokeError>)>,
}

/// When the versions that failed are tried again.
#[derive(Debug, Clone, Copy)]
struct Retry {
    at: Instant,
    pause: Duration,
}

/// The pause before the first retry. Each further pause is twice as long.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two retries: each may compile a module.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

impl Meaning {
    /// What a reference means by a record. `None` for a reference that is neither `latest` nor an alias there.
    pub(super) fn of(record: &FunctionRecord, reference: &VersionRef) -> Option<Self> {
        let target = match reference {
            VersionRef::Latest => AliasTarget::version(record.latest()?.0),
            VersionRef::Alias(alias) => record.target(alias)?.clone(),
            VersionRef::Number(_) | VersionRef::Digest(_) => return None,
        };
        let versions = target.weights().filter_map(|(number, _)| record.version(number));
        Some(Self { manifests: versions.map(|(number, entry)| (number, entry.manifest)).collect(), target })
    }

    /// The version that `choose` decides for.
    pub(super) fn resolve(&self, choose: impl FnOnce(&AliasTarget) -> u64) -> Option<(u64, Digest)> {
        let number = choose(&self.target);
        Some((number, *self.manifests.get(&number)?))
    }
}

impl Held {
    /// What a reference means as long as it is held back.
    pub(super) fn get(&self, reference: &VersionRef) -> Option<&Meaning> {
        Some(&self.references.get(reference)?.meaning)
    }

    /// Whether it is time to try again to serve what is wanted.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_loading = self.references.values().any(|hold| hold.because.is_none());
        is_loading || self.retry.is_some_and(|retry| retry.at <= now)
    }

    /// Holds those references back whose wanted version cannot be served. `before` is what was held back until now.
    pub(super) fn of(
        moves: impl IntoIterator<Item = (VersionRef, Meaning, Meaning)>,
        unready: &Unready,
        before: &Self,
        now: Instant,
    ) -> Self {
        let mut references = HashMap::new();
        for (reference, meaning, wanted) in moves {
            let why = wanted.manifests.keys().find_map(|number| Some((*number, unready.get(number)?.clone())));
            if let Some((number, why)) = why.filter(|_| wanted != meaning) {
                references.insert(reference, Hold { meaning, wanted, because: why.map(|error| (number, error)) });
            }
        }
        let pause = before.retry.map_or(PAUSE, |retry| (retry.pause * 2).min(LONGEST_PAUSE));
        let failed = references.values().any(|hold: &Hold| hold.because.is_some());
        Self { references, retry: failed.then(|| Retry { at: now + pause, pause }) }
    }

    /// Those that a failure holds back, for people.
    pub(super) fn failures(&self, name: &FunctionName) -> Vec<HeldBack> {
        let failures = self.references.iter().filter_map(|(reference, hold)| {
            let (version, _) = hold.because.as_ref()?;
            let function = FunctionRef::from(name.clone()).with_version(reference.clone());
            let (serves, wanted) = (hold.meaning.target.clone(), hold.wanted.target.clone());
            Some(HeldBack { function, version: *version, serves, wanted })
        });
        let mut failures: Vec<_> = failures.collect();
        failures.sort_by_key(|held| held.function.to_string());
        failures
    }

    /// Logs what is held back and was not before, and what is not held back any more.
    pub(super) fn log(&self, name: &FunctionName, before: Option<&Self>) {
        let is_known = |reference: &VersionRef, hold: &Hold| {
            let earlier = before.and_then(|before| before.references.get(reference));
            earlier.is_some_and(|earlier| earlier.wanted == hold.wanted && earlier.because.is_some())
        };
        for (reference, hold) in &self.references {
            if let Some((version, error)) = hold.because.as_ref().filter(|_| !is_known(reference, hold)) {
                let (serves, causes) = (&hold.meaning.target, causes(error));
                let causes = (!causes.is_empty()).then(|| display(causes));
                tracing::warn!(
                    function = %name, %reference, version, %serves, %error, causes,
                    "a version cannot be served here, so the earlier one is"
                );
            }
        }
        let failed_before = before.into_iter().flat_map(|before| &before.references);
        for (reference, hold) in failed_before.filter(|(_, hold)| hold.because.is_some()) {
            if !self.references.contains_key(reference) {
                let wanted = &hold.wanted.target;
                tracing::info!(function = %name, %reference, %wanted, "no earlier version is served any more");
            }
        }
    }
}
