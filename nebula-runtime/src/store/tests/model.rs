//! The store against a model of it: a map from names to what is published under them. Publishers crash at any call.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::{prelude::*, test_runner::Config};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use super::{
    flaky::{Fault, How, Place},
    name,
};
use crate::{
    function::{AliasTarget, Digest, Timestamp},
    store::{
        FunctionRecord, GcOptions, GcReport, IfPointedTo, NewVersion, Progress, Store, StoreError,
        conformance::{read_version, sample},
        manifest,
    },
};

const FUNCTIONS: [&str; 3] = ["one", "two", "three"];
const ALIASES: [&str; 2] = ["beta", "prod"];
const MODULES: [&str; 3] = ["a", "b", "c"];

/// What is published under a name: the module of each version, from version 1 on, and none for a version that was
/// removed; and its aliases.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    versions: Vec<Option<&'static str>>,
    aliases: BTreeMap<&'static str, Pointed>,
}

/// All targets that an alias ever had, and those that rollbacks go back to, the last one last.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Pointed {
    ever: Vec<Weights>,
    past: Vec<Weights>,
}

/// A target: the weights of its versions, and none if the alias was removed.
type Weights = Vec<(u64, u32)>;

/// For each name, what may be published under it: a publisher that crashed leaves the record as it was or as it was to
/// be.
type Model = BTreeMap<&'static str, BTreeSet<Record>>;

#[derive(Debug, Clone, Copy)]
struct Publish {
    function: &'static str,
    module: &'static str,
    alias: Option<&'static str>,
}

/// Points an alias to the latest version and, with these weights, the one before; or removes it.
#[derive(Debug, Clone, Copy)]
struct Move {
    function: &'static str,
    alias: &'static str,
    weights: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct RollBack {
    function: &'static str,
    alias: &'static str,
}

/// Removes one of the versions that exist, or all of them.
#[derive(Debug, Clone, Copy)]
struct Remove {
    function: &'static str,
    version: Option<usize>,
    if_pointed_to: IfPointedTo,
}

#[derive(Debug, Clone, Copy)]
enum Edit {
    Publish(Publish),
    Move(Move),
    RollBack(RollBack),
    Remove(Remove),
}

#[derive(Debug, Clone, Copy)]
enum Transition {
    Edit(Edit),
    /// A writer that is gone at this call to the backend.
    Crash(Edit, usize, How),
    /// Garbage is collected, by a process that may be gone at this call to the backend.
    Collect(Option<(usize, How)>),
    /// The store is opened anew.
    Open,
}

impl Edit {
    fn function(self) -> &'static str {
        match self {
            Self::Publish(Publish { function, .. })
            | Self::Move(Move { function, .. })
            | Self::RollBack(RollBack { function, .. })
            | Self::Remove(Remove { function, .. }) => function,
        }
    }
}

impl Move {
    /// The weights of the versions that the alias is to point to, where these exist.
    fn target(self, numbers: &[u64]) -> Weights {
        let Some((latest, before)) = self.weights else { return Vec::new() };
        let last_two = numbers.iter().rev().copied().zip([latest, before]);
        last_two.collect::<BTreeMap<_, _>>().into_iter().collect()
    }
}

impl Remove {
    /// The number of the version that is to be removed, where these exist; `None` for all.
    fn number(self, numbers: &[u64]) -> Option<u64> {
        self.version.map(|version| numbers.get(version % numbers.len().max(1)).copied().unwrap_or(1))
    }
}

impl Pointed {
    fn now(&self) -> Weights {
        self.ever.last().cloned().unwrap_or_default()
    }

    fn point(&mut self, target: Weights) {
        let before = self.now();
        if before != target {
            self.past.extend(Some(before).filter(|before| !before.is_empty()));
            self.ever.push(target);
        }
    }

    fn roll_back(&mut self, numbers: &[u64]) {
        let now = self.now();
        let is_earlier = |to: &Weights| *to != now && to.iter().all(|(number, _)| numbers.contains(number));
        if let Some(last) = self.past.iter().rposition(is_earlier) {
            let targets = self.past.split_off(last);
            self.ever.extend(targets.into_iter().next());
        }
    }
}

impl Record {
    fn edit(mut self, edit: Edit) -> Self {
        match edit {
            Edit::Publish(Publish { module, alias, .. }) => {
                let latest = self.numbers().last().copied();
                if latest.is_none_or(|latest| self.versions[latest as usize - 1] != Some(module)) {
                    self.versions.push(Some(module));
                }
                let target = vec![(self.numbers().last().copied().unwrap(), 1)];
                if let Some(alias) = alias {
                    self.aliases.entry(alias).or_default().point(target);
                }
            }
            Edit::Move(to) => {
                let target = to.target(&self.numbers());
                if !target.is_empty() || self.aliases.contains_key(to.alias) {
                    self.aliases.entry(to.alias).or_default().point(target);
                }
            }
            Edit::RollBack(RollBack { alias, .. }) => {
                let numbers = self.numbers();
                self.aliases.get_mut(alias).into_iter().for_each(|pointed| pointed.roll_back(&numbers));
            }
            Edit::Remove(remove) => self.remove(remove),
        }
        self
    }

    fn numbers(&self) -> Vec<u64> {
        (1..).zip(&self.versions).filter(|(_, version)| version.is_some()).map(|(number, _)| number).collect()
    }

    fn remove(&mut self, remove: Remove) {
        let (numbers, version) = (self.numbers(), remove.number(&self.numbers()));
        let is_gone = |number: &u64| version.is_none_or(|version| version == *number);
        let points = |pointed: &Pointed| pointed.now().iter().any(|(number, _)| is_gone(number));
        if remove.if_pointed_to == IfPointedTo::Refuse && self.aliases.values().any(points) {
            return;
        }
        numbers.iter().filter(|number| is_gone(number)).for_each(|number| self.versions[*number as usize - 1] = None);
        for pointed in self.aliases.values_mut().filter(|pointed| points(pointed)) {
            pointed.point(pointed.now().into_iter().filter(|(number, _)| !is_gone(number)).collect());
        }
    }

    /// The record as the store has it.
    fn of(record: &FunctionRecord) -> Self {
        let module = |digest| MODULES.into_iter().find(|module| Digest::of(&sample(module).module) == digest).unwrap();
        let removed: BTreeSet<_> = record.removed().map(|(number, _)| number).collect();
        let version = |number| {
            let version = record.version(number).map(|(_, entry)| module(entry.module));
            assert_eq!(version.is_none(), removed.contains(&number), "{record:?}");
            version
        };
        let versions = (1..record.next_number()).map(version).collect();
        let aliases = record.aliases().map(|(name, alias)| {
            let weights = |target: Option<&AliasTarget>| target.map(|to| to.weights().collect()).unwrap_or_default();
            let targets: Vec<Weights> = alias.history.iter().map(|change| weights(change.to.as_ref())).collect();
            assert_eq!(targets.last(), Some(&weights(alias.target.as_ref())));
            let past = alias.past.iter().map(|target| weights(Some(target))).collect();
            (ALIASES.into_iter().find(|known| *known == name.as_str()).unwrap(), Pointed { ever: targets, past })
        });
        Self { aliases: aliases.collect(), versions }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let select = |names: &[&'static str]| proptest::sample::select(names.to_vec());
    let publish = (select(&FUNCTIONS), select(&MODULES), proptest::option::of(select(&ALIASES)));
    let publish = publish.prop_map(|(function, module, alias)| Edit::Publish(Publish { function, module, alias }));
    let weights = proptest::option::weighted(0.8, (1..3_u32, 1..3_u32));
    let moves = (select(&FUNCTIONS), select(&ALIASES), weights);
    let moves = moves.prop_map(|(function, alias, weights)| Edit::Move(Move { function, alias, weights }));
    let roll_back = (select(&FUNCTIONS), select(&ALIASES));
    let roll_back = roll_back.prop_map(|(function, alias)| Edit::RollBack(RollBack { function, alias }));
    let if_pointed_to = prop_oneof![Just(IfPointedTo::Refuse), Just(IfPointedTo::Release)];
    let remove = (select(&FUNCTIONS), proptest::option::weighted(0.8, 0..8_usize), if_pointed_to);
    let remove =
        remove.prop_map(|(function, version, if_pointed_to)| Edit::Remove(Remove { function, version, if_pointed_to }));
    prop_oneof![6 => publish, 3 => moves, 2 => roll_back, 2 => remove]
}

impl ReferenceStateMachine for Record {
    type State = Model;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Model> {
        Just(FUNCTIONS.map(|function| (function, BTreeSet::from([Record::default()]))).into()).boxed()
    }

    fn transitions(_: &Model) -> BoxedStrategy<Transition> {
        let how = prop_oneof![Just(How::Before), Just(How::After)];
        prop_oneof![
            4 => edit().prop_map(Transition::Edit),
            // A publish makes eight calls at most; what is there already is not written.
            4 => (edit(), 0..8_usize, how.clone()).prop_map(|(edit, call, how)| Transition::Crash(edit, call, how)),
            // A collection makes three calls for each blob, and removes at most 27 of them.
            2 => proptest::option::of((0..64_usize, how)).prop_map(Transition::Collect),
            1 => Just(Transition::Open),
        ]
        .boxed()
    }

    fn apply(mut model: Model, transition: &Transition) -> Model {
        let (edit, crashes) = match transition {
            Transition::Edit(edit) => (edit, false),
            Transition::Crash(edit, ..) => (edit, true),
            Transition::Collect(_) | Transition::Open => return model,
        };
        let records = model.entry(edit.function()).or_default();
        let edited = records.iter().map(|record| record.clone().edit(*edit)).collect::<Vec<_>>();
        if !crashes {
            records.clear();
        }
        records.extend(edited);
        model
    }
}

/// Where the store is. Without a server, the one in S3 is in memory.
const PLACES: [fn() -> Place; 3] = [Place::memory, Place::folder, in_s3];

#[cfg(feature = "s3")]
fn in_s3() -> Place {
    Place::s3().unwrap_or_else(Place::memory)
}

#[cfg(not(feature = "s3"))]
fn in_s3() -> Place {
    Place::memory()
}

/// A store, wherever it is.
struct Tested {
    tokio: Runtime,
    place: Place,
    store: Store,
}

impl Tested {
    fn new(place: Place) -> Self {
        let tokio = tokio_runtime();
        let store = tokio.block_on(place.open()).unwrap();
        Self { tokio, place, store }
    }

    /// A process has crashed, and another one opens the store. The threads of the first one have ended by then: a folder is
    /// written to by threads that no failure stops.
    fn restart(&mut self) {
        self.tokio = tokio_runtime();
        self.store = self.tokio.block_on(self.place.open()).unwrap();
    }

    fn apply(mut self, transition: Transition) -> Self {
        match transition {
            Transition::Edit(edit) => self.edit(&self.store, edit).unwrap(),
            Transition::Crash(edit, call, how) => {
                let (crashing, flaky) = self.place.flaky(Fault::Crash(call, how));
                let edited = self.edit(&crashing, edit);
                assert_eq!(edited.is_ok(), flaky.calls() <= call, "{edited:?}");
                self.restart();
            }
            Transition::Collect(None) => self.tokio.block_on(self.collect()),
            Transition::Collect(Some((call, how))) => {
                let (crashing, _) = self.place.flaky(Fault::Crash(call, how));
                drop(self.tokio.block_on(garbage(&crashing)));
                self.restart();
            }
            Transition::Open => self.restart(),
        }
        self
    }

    /// Collects garbage, and checks that only blobs that versions need are left.
    async fn collect(&self) {
        garbage(&self.store).await.unwrap();
        let mut needed = BTreeSet::new();
        for function in FUNCTIONS {
            let record = self.store.record(&name(function)).await.unwrap().unwrap_or_default();
            for (_, entry) in record.versions() {
                let config = manifest::blobs_of(&self.store.backend, entry.manifest).await.unwrap().config;
                needed.extend([entry.manifest, entry.module, config].map(|digest| digest.hex().to_string()));
            }
        }
        let files = async |folder: &str| BTreeSet::from_iter(self.store.backend.list(&folder.into()).await.unwrap());
        assert_eq!((files("blobs/sha256").await, files("unneeded/sha256").await), (needed, BTreeSet::new()));
    }

    fn edit(&self, store: &Store, edit: Edit) -> Result<(), String> {
        match edit {
            Edit::Publish(publish) => self.publish(store, publish),
            Edit::Move(to) => self.point(store, to),
            Edit::RollBack(RollBack { function, alias }) => self.tokio.block_on(async {
                done(store.roll_back(&name(function), &alias.parse().unwrap(), None).await.map(drop))
            }),
            Edit::Remove(remove) => self.tokio.block_on(async {
                let version = remove.number(&self.numbers(remove.function).await);
                done(store.remove(&name(remove.function), version, remove.if_pointed_to, None).await.map(drop))
            }),
        }
    }

    /// The numbers of the versions that exist now.
    async fn numbers(&self, function: &str) -> Vec<u64> {
        let record = self.store.record(&name(function)).await.unwrap().unwrap_or_default();
        record.versions().map(|(number, _)| number).collect()
    }

    /// Moves an alias to what the store has now. Where the function was never published, there is nothing to point to.
    fn point(&self, store: &Store, to: Move) -> Result<(), String> {
        self.tokio.block_on(async {
            let target = AliasTarget::weighted(to.target(&self.numbers(to.function).await)).ok();
            let moved = store.set_alias(&name(to.function), &to.alias.parse().unwrap(), target, None).await;
            moved.map(drop).map_err(|error| error.to_string())
        })
    }

    /// Publishes, and checks that what was published is the latest version.
    fn publish(&self, store: &Store, Publish { function, module, alias }: Publish) -> Result<(), String> {
        let (version, alias): (NewVersion, _) = (sample(module), alias.map(|alias| alias.parse().unwrap()));
        self.tokio.block_on(async {
            let published = store.publish(&name(function), version, alias.as_ref()).await;
            let published = published.map_err(|error| error.to_string())?;
            let record = self.store.record(&name(function)).await.unwrap().unwrap();
            assert_eq!(
                record.latest().map(|(number, entry)| (number, entry.manifest)),
                Some((published.number, published.manifest))
            );
            Ok(())
        })
    }

    /// Checks that all that is published is whole, and may be there as the model says.
    async fn check(&self, model: &Model) {
        let mut names = Vec::new();
        for (function, possible) in model {
            let record = self.store.record(&name(function)).await.unwrap();
            names.extend(record.is_some().then(|| name(function)));
            let record = record.unwrap_or_default();
            assert!(possible.contains(&Record::of(&record)), "{function} is {record:?}, expected one of {possible:?}");
            for (_, entry) in record.versions() {
                read_version(&self.store, &entry.manifest).await.unwrap();
            }
        }
        names.sort_unstable();
        assert_eq!(self.store.names().await.unwrap(), names);
    }
}

fn tokio_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Collects garbage in the year 2100, without grace: whatever was written before is old by then.
async fn garbage(store: &Store) -> Result<GcReport, StoreError> {
    let store = store.clone().with_clock(|| Timestamp::from_unix(4_102_444_800));
    let options = GcOptions { grace: Duration::ZERO, delete: true, ..GcOptions::default() };
    store.collect_garbage(options, &Progress::default()).await
}

/// A change that is refused, because there is nothing to change or an alias points there, is done: the model knows that
/// nothing changes.
fn done(changed: Result<(), StoreError>) -> Result<(), String> {
    match changed {
        Err(StoreError::NoAlias { .. } | StoreError::NotPublished { .. } | StoreError::PointedTo { .. }) => Ok(()),
        changed => changed.map_err(|error| error.to_string()),
    }
}

struct In<const PLACE: usize>;
type InMemory = In<0>;
type InFolder = In<1>;
#[cfg(feature = "s3")]
type InS3 = In<2>;

impl<const PLACE: usize> StateMachineTest for In<PLACE> {
    type SystemUnderTest = Tested;
    type Reference = Record;

    fn init_test(_: &Model) -> Tested {
        Tested::new(PLACES[PLACE]())
    }

    fn apply(tested: Tested, _: &Model, transition: Transition) -> Tested {
        tested.apply(transition)
    }

    fn check_invariants(tested: &Tested, model: &Model) {
        tested.tokio.block_on(tested.check(model));
    }
}

prop_state_machine! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(128) })]

    #[test]
    fn a_store_in_memory_is_what_its_model_says(sequential 1..24 => InMemory);
}

prop_state_machine! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(32) })]

    #[test]
    fn a_store_in_a_folder_is_what_its_model_says(sequential 1..24 => InFolder);
}

#[cfg(feature = "s3")]
prop_state_machine! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(8) })]

    #[test]
    fn a_store_in_s3_is_what_its_model_says(sequential 1..24 => InS3);
}
