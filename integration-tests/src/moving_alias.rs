//! An alias that moves while it is called, and how its answers are judged.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nebula_runtime::{AliasMove, AliasName, AliasTarget, FunctionName, Runtime, Store, StoreUrl};

/// Within this time, every server follows the store.
const PROMISE: Duration = Duration::from_secs(2);

/// The alias `prod` of the function `answer`, whose versions answer with their own numbers.
pub struct MovingAlias {
    runtime: Runtime,
    moves: u64,
    targets: Vec<Target>,
}

/// A version that the alias named, from the beginning of its move to the end of the next move.
struct Target {
    version: u64,
    from: Instant,
    to: Option<Instant>,
}

/// An answer to a call of the alias.
pub struct VersionAnswer {
    /// The version that answered.
    pub version: u64,
    /// When the request was sent.
    pub sent: Instant,
    /// When the answer was there.
    pub received: Instant,
}

impl MovingAlias {
    /// The route of the alias, in nebula.toml: `/shop`.
    pub const ROUTE: &str = "[[routes]]\npath = \"/shop\"\nfunction = \"answer@prod\"\n";

    /// Publishes all versions that so many moves need, to the store in the folder `store`. `cache` is the code cache.
    pub async fn publish(store: &Path, cache: Option<PathBuf>, moves: u64) -> Self {
        let store = Store::open(&StoreUrl::folder(store).unwrap()).await.unwrap();
        let runtime = Runtime::builder(store).code_cache(cache).concurrency(1).build().unwrap();
        for value in 1..=version(moves) + 1 {
            let module = format!("(module (func (export \"answer\") (result i64) (i64.const {value})))");
            runtime.publish(&name(), module).await.unwrap();
        }
        let from = Instant::now();
        runtime.set_alias(&name(), &prod(), AliasTarget::version(1)).await.unwrap();
        Self { runtime, moves: 0, targets: vec![Target { version: 1, from, to: None }] }
    }

    /// Moves the alias to its next version.
    pub async fn advance(&mut self) {
        self.moves += 1;
        let from = Instant::now();
        let target = AliasTarget::version(version(self.moves));
        let moved = self.runtime.set_alias(&name(), &prod(), target).await.unwrap();
        self.note(from, moved);
    }

    /// Takes back the last move.
    pub async fn roll_back(&mut self) {
        let from = Instant::now();
        let moved = self.runtime.roll_back(&name(), None).await.unwrap();
        self.note(from, moved);
    }

    /// The version that the alias names now.
    pub fn version(&self) -> u64 {
        self.targets.last().unwrap().version
    }

    /// How long before the request the promise for this version ended: zero for an answer in time, `None` for a version
    /// that the alias never named.
    pub fn lateness(&self, answer: &VersionAnswer) -> Option<Duration> {
        let named = |target: &&Target| target.version == answer.version && target.from <= answer.received;
        let late = |to| answer.sent.saturating_duration_since(to + PROMISE);
        self.targets.iter().filter(named).map(|target| target.to.map_or(Duration::ZERO, late)).min()
    }

    fn note(&mut self, from: Instant, moved: AliasMove) {
        self.targets.last_mut().unwrap().to = Some(Instant::now());
        self.targets.push(Target { version: moved.to.unwrap().heaviest(), from, to: None });
    }
}

/// The version that a move is to. Each is named for some moves only, so that an answer of it comes too late at some
/// time.
fn version(index: u64) -> u64 {
    1 + index / 10 + index % 2
}

fn name() -> FunctionName {
    "answer".parse().unwrap()
}

fn prod() -> AliasName {
    "prod".parse().unwrap()
}
