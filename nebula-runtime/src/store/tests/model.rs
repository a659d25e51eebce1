//! The store against a model of it: a map from names to what is published under them. Publishers crash at any call.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, test_runner::Config};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use super::{
    flaky::{Fault, How, Place},
    name,
};
use crate::{
    function::Digest,
    store::{
        AliasTarget, FunctionRecord, NewVersion, Store,
        conformance::{read_version, sample},
    },
};

const FUNCTIONS: [&str; 3] = ["one", "two", "three"];
const ALIASES: [&str; 2] = ["beta", "prod"];
const MODULES: [&str; 3] = ["a", "b", "c"];

/// What is published under a name: the module of each version, from version 1 on, and all targets that an alias ever
/// had, the last one last. A target is the weights of its versions, and none if the alias was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    versions: Vec<&'static str>,
    aliases: BTreeMap<&'static str, Vec<Weights>>,
}

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
enum Edit {
    Publish(Publish),
    Move(Move),
}

#[derive(Debug, Clone, Copy)]
enum Transition {
    Edit(Edit),
    /// A writer that is gone at this call to the backend.
    Crash(Edit, usize, How),
    /// The store is opened anew.
    Open,
}

impl Edit {
    fn function(self) -> &'static str {
        match self {
            Self::Publish(Publish { function, .. }) | Self::Move(Move { function, .. }) => function,
        }
    }
}

impl Move {
    /// The weights of the versions that the alias is to point to, where there are `versions` of them.
    fn target(self, versions: u64) -> Weights {
        let Some((latest, before)) = self.weights else { return Vec::new() };
        let weights = [(versions.saturating_sub(1), before), (versions, latest)];
        weights.into_iter().filter(|(number, _)| *number > 0).collect()
    }
}

impl Record {
    fn edit(mut self, edit: Edit) -> Self {
        match edit {
            Edit::Publish(Publish { module, alias, .. }) => {
                if self.versions.last() != Some(&module) {
                    self.versions.push(module);
                }
                let target = vec![(self.versions.len() as u64, 1)];
                if let Some(alias) = alias {
                    self.point(alias, target);
                }
            }
            Edit::Move(to) => self.point(to.alias, to.target(self.versions.len() as u64)),
        }
        self
    }

    fn point(&mut self, alias: &'static str, target: Weights) {
        if self.aliases.get(alias).and_then(|targets| targets.last()).cloned().unwrap_or_default() != target {
            self.aliases.entry(alias).or_default().push(target);
        }
    }

    /// The record as the store has it.
    fn of(record: &FunctionRecord) -> Self {
        let module = |digest| MODULES.into_iter().find(|module| Digest::of(&sample(module).module) == digest).unwrap();
        let versions: Vec<_> = record.versions().map(|(_, entry)| module(entry.module)).collect();
        let numbers = record.versions().map(|(number, _)| number);
        assert!(numbers.eq(1..record.next_number()), "{record:?}");
        let aliases = record.aliases().map(|(name, alias)| {
            let weights = |target: Option<&AliasTarget>| target.map(|to| to.weights().collect()).unwrap_or_default();
            let targets: Vec<Weights> = alias.history.iter().map(|change| weights(change.to.as_ref())).collect();
            assert_eq!(targets.last(), Some(&weights(alias.target.as_ref())));
            (ALIASES.into_iter().find(|known| *known == name.as_str()).unwrap(), targets)
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
    prop_oneof![3 => publish, 1 => moves]
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
            4 => (edit(), 0..8_usize, how).prop_map(|(edit, call, how)| Transition::Crash(edit, call, how)),
            1 => Just(Transition::Open),
        ]
        .boxed()
    }

    fn apply(mut model: Model, transition: &Transition) -> Model {
        let (edit, crashes) = match transition {
            Transition::Edit(edit) => (edit, false),
            Transition::Crash(edit, ..) => (edit, true),
            Transition::Open => return model,
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
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = tokio.block_on(place.open()).unwrap();
        Self { tokio, place, store }
    }

    fn apply(mut self, transition: Transition) -> Self {
        match transition {
            Transition::Edit(edit) => self.edit(&self.store, edit).unwrap(),
            Transition::Crash(edit, call, how) => {
                let (crashing, flaky) = self.place.flaky(Fault::Crash(call, how));
                let edited = self.edit(&crashing, edit);
                assert_eq!(edited.is_ok(), flaky.calls() <= call, "{edited:?}");
            }
            Transition::Open => self.store = self.tokio.block_on(self.place.open()).unwrap(),
        }
        self
    }

    fn edit(&self, store: &Store, edit: Edit) -> Result<(), String> {
        match edit {
            Edit::Publish(publish) => self.publish(store, publish),
            Edit::Move(to) => self.point(store, to),
        }
    }

    /// Moves an alias to what the store has now. Where the function was never published, there is nothing to point to.
    fn point(&self, store: &Store, to: Move) -> Result<(), String> {
        self.tokio.block_on(async {
            let record = self.store.record(&name(to.function)).await.unwrap().unwrap_or_default();
            let target = AliasTarget::weighted(to.target(record.next_number() - 1)).ok();
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
