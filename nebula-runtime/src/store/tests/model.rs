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
    function::{AliasName, Digest},
    store::{
        FunctionRecord, NewVersion, Store,
        conformance::{read_version, sample},
    },
};

const FUNCTIONS: [&str; 3] = ["one", "two", "three"];
const ALIASES: [&str; 2] = ["beta", "prod"];
const MODULES: [&str; 3] = ["a", "b", "c"];

/// What is published under a name: the module of each version, from version 1 on, and the versions of the aliases.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    versions: Vec<&'static str>,
    aliases: BTreeMap<&'static str, usize>,
}

/// For each name, what may be published under it: a publisher that crashed leaves the record as it was or as it was to
/// be.
type Model = BTreeMap<&'static str, BTreeSet<Record>>;

#[derive(Debug, Clone, Copy)]
struct Publish {
    function: &'static str,
    module: &'static str,
    alias: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
enum Transition {
    Publish(Publish),
    /// A publisher that is gone at this call to the backend.
    Crash(Publish, usize, How),
    /// The store is opened anew.
    Open,
}

impl Record {
    fn publish(mut self, Publish { module, alias, .. }: Publish) -> Self {
        if self.versions.last() != Some(&module) {
            self.versions.push(module);
        }
        self.aliases.extend(alias.map(|alias| (alias, self.versions.len())));
        self
    }

    /// The record as the store has it.
    fn of(record: &FunctionRecord) -> Self {
        let module = |digest| MODULES.into_iter().find(|module| Digest::of(&sample(module).module) == digest).unwrap();
        let versions: Vec<_> = record.versions().map(|(_, entry)| module(entry.module)).collect();
        let numbers = record.versions().map(|(number, _)| number);
        assert!(numbers.eq(1..=versions.len() as u64), "{record:?}");
        let version = |alias: &AliasName| record.resolve(&alias.to_string().parse().unwrap());
        let aliases =
            ALIASES.into_iter().filter_map(|alias| Some((alias, version(&alias.parse().unwrap())?.0 as usize)));
        Self { aliases: aliases.collect(), versions }
    }
}

fn publish() -> impl Strategy<Value = Publish> {
    let select = |names: &[&'static str]| proptest::sample::select(names.to_vec());
    let parts = (select(&FUNCTIONS), select(&MODULES), proptest::option::of(select(&ALIASES)));
    parts.prop_map(|(function, module, alias)| Publish { function, module, alias })
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
            4 => publish().prop_map(Transition::Publish),
            // A publish makes eight calls at most; what is there already is not written.
            4 => (publish(), 0..8_usize, how).prop_map(|(publish, call, how)| Transition::Crash(publish, call, how)),
            1 => Just(Transition::Open),
        ]
        .boxed()
    }

    fn apply(mut model: Model, transition: &Transition) -> Model {
        let (publish, crashes) = match transition {
            Transition::Publish(publish) => (publish, false),
            Transition::Crash(publish, ..) => (publish, true),
            Transition::Open => return model,
        };
        let records = model.entry(publish.function).or_default();
        let published = records.iter().map(|record| record.clone().publish(*publish)).collect::<Vec<_>>();
        if !crashes {
            records.clear();
        }
        records.extend(published);
        model
    }
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
            Transition::Publish(publish) => self.publish(&self.store, publish).unwrap(),
            Transition::Crash(publish, call, how) => {
                let (crashing, flaky) = self.place.flaky(Fault::Crash(call, how));
                let published = self.publish(&crashing, publish);
                assert_eq!(published.is_ok(), flaky.calls() <= call, "{published:?}");
            }
            Transition::Open => self.store = self.tokio.block_on(self.place.open()).unwrap(),
        }
        self
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

struct In<const FOLDER: bool>;
type InMemory = In<false>;
type InFolder = In<true>;

impl<const FOLDER: bool> StateMachineTest for In<FOLDER> {
    type SystemUnderTest = Tested;
    type Reference = Record;

    fn init_test(_: &Model) -> Tested {
        Tested::new(if FOLDER { Place::folder() } else { Place::memory() })
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
