//! Moving aliases: what is checked before, what a runtime does that cannot follow, and taking moves back.

use std::{fs, path::Path, sync::atomic::Ordering::SeqCst};

use tokio::time::sleep;

use super::{code::Slow, store::Warnings, *};
use crate::{
    function::{AliasName, AliasTarget, Catalog as _, DirGrant, RegistryError, RegistryErrorKind},
    store::IfPointedTo,
};

fn prod() -> AliasName {
    "prod".parse().unwrap()
}

/// Publishes a version that answers with a number and is granted a folder.
async fn publish_with_folder(runtime: &Runtime, number: u32, folder: &Path) {
    let config = FunctionConfig { dirs: vec![DirGrant::new(folder, "/data")], ..FunctionConfig::default() };
    runtime.publish(&name("f"), answer(number)).config(config).await.unwrap();
}

async fn point(store: &Store, target: AliasTarget) {
    assert!(store.set_alias(&name("f"), &prod(), Some(target), None).await.unwrap().changed());
}

fn told(error: &RegistryError) -> (RegistryErrorKind, &str) {
    (error.kind(), error.detail())
}

/// What is held back: the reference, the version that cannot be served, what is served and what is wanted.
fn held_back(runtime: &Runtime) -> Vec<String> {
    let shown = runtime.held_back().into_iter();
    shown.map(|held| format!("{} not {}: {} for {}", held.function, held.version, held.serves, held.wanted)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_version_that_cannot_be_served_here_is_held_back_until_it_can_and_nothing_else_is() {
    let (folder, store) = (tempfile::tempdir().unwrap(), Store::memory());
    let (here, elsewhere) = (runtime(&store), runtime(&store));
    // So that the code of all versions is in memory, and needs no time that is not virtual.
    for number in 1..=3 {
        publish(&here, &format!("warm-{number}"), number).await;
    }
    publish(&elsewhere, "f", 1).await;
    point(&store, AliasTarget::version(1)).await;
    assert_eq!(call(&here, "f@prod").await.unwrap(), "1");

    let missing = folder.path().join("missing");
    publish_with_folder(&elsewhere, 2, &missing).await;
    point(&store, AliasTarget::weighted([(1, 1), (2, 1)]).unwrap()).await;
    let warnings = Arc::new(Warnings::default());
    let logged = tracing::subscriber::set_default(Arc::clone(&warnings));
    for _ in 0..100 {
        pass(Duration::from_millis(100)).await;
        assert_eq!((call(&here, "f@prod").await, call(&here, "f").await), (Ok("1".into()), Ok("1".into())));
    }
    drop(logged);
    assert_eq!(warnings.0.load(SeqCst), 2, "one for each reference");
    assert_eq!(held_back(&here), ["f not 2: 1 for 2", "f@prod not 2: 1 for 1=1 2=1"]);

    // The latest version is another one, and can be served.
    publish(&elsewhere, "f", 3).await;
    pass(Duration::from_secs(2)).await;
    assert_eq!((call(&here, "f").await, call(&here, "f@prod").await), (Ok("3".into()), Ok("1".into())));
    assert_eq!(held_back(&here), ["f@prod not 2: 1 for 1=1 2=1"]);

    point(&store, AliasTarget::version(2)).await;
    fs::create_dir(missing).unwrap();
    pass(Duration::from_mins(2)).await;
    assert_eq!(call(&here, "f@prod").await.unwrap(), "2");
    assert_eq!(held_back(&here), [""; 0]);
}

/// A runtime that serves the first version of `f`, after the second one was published elsewhere. Its code loads slowly.
async fn behind_a_second_version() -> (Arc<Slow>, Runtime) {
    let (slow, store) = (Slow::new(0), Store::memory());
    let elsewhere = runtime(&store);
    let here = RuntimeBuilder::new(store, Arc::clone(&slow) as Arc<dyn CodeSource>).concurrency(2).build().unwrap();
    publish(&elsewhere, "f", 1).await;
    slow.may_begin.add_permits(1);
    assert_eq!(call(&here, "f").await.unwrap(), "1");
    publish(&elsewhere, "f", 2).await;
    (slow, here)
}

#[tokio::test(start_paused = true)]
async fn calls_are_answered_by_the_earlier_version_while_the_code_of_the_new_one_is_loaded() {
    let (slow, here) = behind_a_second_version().await;
    for _ in 0..100 {
        pass(Duration::from_millis(100)).await;
        assert_eq!(call(&here, "f").await.unwrap(), "1");
    }
    assert_eq!((slow.loads(), held_back(&here)), (2, vec![]), "it is no failure that loading takes time");
    slow.may_begin.add_permits(1);
    let moved = async {
        while call(&here, "f").await.unwrap() != "2" {
            // In virtual time.
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_mins(1), moved).await.unwrap();
    assert_eq!(slow.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_while_nobody_waits_for_it_is_held_back_by_the_next_look() {
    let (slow, here) = behind_a_second_version().await;
    slow.failures.store(1, SeqCst);
    // A look that is given up before the load fails, and none for as long as it takes to fail.
    pass(Duration::from_secs(1)).await;
    assert_eq!(call(&here, "f").await.unwrap(), "1");
    pass(Duration::from_millis(1)).await;
    pass(Duration::from_millis(800)).await;
    slow.may_begin.add_permits(1);
    pass(Duration::from_millis(10)).await;
    assert_eq!((slow.loads(), held_back(&here)), (2, vec![]));
    assert_eq!(call(&here, "f").await.unwrap(), "1");
    pass(Duration::from_millis(10)).await;
    assert_eq!((slow.loads(), held_back(&here)), (2, vec!["f not 2: 1 for 2".to_owned()]));
}

#[tokio::test]
async fn an_alias_moves_only_to_versions_of_which_an_instance_can_be_made() {
    let runtime = runtime(&Store::memory());
    publish(&runtime, "f", 1).await;
    let traps = "(module (func $f unreachable) (start $f) (func (export \"answer\") (result i32) (i32.const 2)))";
    runtime.publish(&name("f"), traps).await.unwrap();
    publish_with_folder(&runtime, 3, Path::new("/nowhere/at/all")).await;
    let moves = async |target| runtime.set_alias(&name("f"), &prod(), target).by("ada".to_owned()).await;

    let refused = moves(AliasTarget::weighted([(1, 1), (2, 1)]).unwrap()).await.unwrap_err();
    assert_eq!(refused.kind(), RegistryErrorKind::Invalid);
    assert!(refused.detail().starts_with("alias prod is not moved: version 2 cannot be run: "), "{refused}");
    let missing = moves(AliasTarget::version(4)).await.unwrap_err();
    let detail = "function f has no version 4, so alias prod cannot point to it";
    assert_eq!(told(&missing), (RegistryErrorKind::NotFound, detail));
    assert!(runtime.aliases(&name("f")).await.unwrap().is_empty());
    // Whether a folder is there is a matter of the servers.
    assert!(moves(AliasTarget::version(3)).await.unwrap().changed());
    assert!(moves(AliasTarget::version(1)).await.unwrap().changed());
    assert_eq!(call(&runtime, "f@prod").await.unwrap(), "1");
    let aliases = runtime.aliases(&name("f")).await.unwrap();
    assert_eq!(
        (aliases.len(), aliases[0].by.as_deref(), &aliases[0].target),
        (1, Some("ada"), &AliasTarget::version(1))
    );
}

#[tokio::test]
async fn guests_of_each_kind_are_tried_out() {
    let runtime = runtime(&Store::memory());
    let modules = [
        "(module (func (export \"_start\")))",
        "(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))) (func (export \"f\")))",
        "(component (core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
            (func (export \"f\") (canon lift (core func $i \"f\"))))",
        "(component (core module $m (func (export \"run\") (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i \"run\")))
            (instance $run (export \"run\" (func $run)))
            (export \"wasi:cli/run@0.2.0\" (instance $run)))",
    ];
    for (module, version) in modules.into_iter().zip(1..) {
        runtime.publish(&name("f"), module).await.unwrap();
        let moved = runtime.set_alias(&name("f"), &prod(), AliasTarget::version(version)).await;
        assert!(moved.unwrap().changed(), "{module}");
    }
}

#[tokio::test]
async fn a_rollback_names_the_only_alias_or_says_which_there_are() {
    let runtime = runtime(&Store::memory());
    publish(&runtime, "f", 1).await;
    let roll_back = async || runtime.roll_back(&name("f"), None).await;
    let none = roll_back().await.unwrap_err();
    assert!(
        none.detail().starts_with("function f has no alias that could be rolled back; `nebula alias f prod"),
        "{none}"
    );
    runtime.set_alias(&name("f"), &prod(), AliasTarget::version(1)).await.unwrap();
    publish(&runtime, "f", 2).await;
    runtime.set_alias(&name("f"), &prod(), AliasTarget::version(2)).await.unwrap();
    assert_eq!(call(&runtime, "f@prod").await.unwrap(), "2");
    assert_eq!(roll_back().await.unwrap().to, Some(AliasTarget::version(1)));
    assert_eq!(call(&runtime, "f@prod").await.unwrap(), "1");
    assert!(!roll_back().await.unwrap().changed());
    runtime.set_alias(&name("f"), &"beta".parse().unwrap(), AliasTarget::version(2)).await.unwrap();
    let several = roll_back().await.unwrap_err();
    let detail = "function f has several aliases: beta, prod; name one: nebula rollback f ALIAS";
    assert_eq!(told(&several), (RegistryErrorKind::Invalid, detail));
}

#[tokio::test]
async fn what_is_removed_is_not_called_any_more_and_its_number_is_not_used_again() {
    let runtime = runtime(&Store::memory());
    for number in 1..=2 {
        publish(&runtime, "f", number).await;
    }
    runtime.set_alias(&name("f"), &prod(), AliasTarget::version(2)).await.unwrap();
    assert_eq!((call(&runtime, "f").await.unwrap(), call(&runtime, "f@prod").await.unwrap()), ("2".into(), "2".into()));
    let refused = runtime.remove(&name("f"), Some(2), IfPointedTo::Refuse).await.unwrap_err();
    let detail = "version 2 of function f is not removed because of the alias prod, which points to it: move the aliases \
                  first (nebula alias f ALIAS VERSION), or take it from them (--force)";
    assert_eq!(told(&refused), (RegistryErrorKind::Invalid, detail));

    let removal = runtime.remove(&name("f"), Some(2), IfPointedTo::Release).by("ada".to_owned()).await.unwrap();
    assert_eq!((removal.versions.as_slice(), removal.latest), (&[2][..], Some(1)));
    assert_eq!(call(&runtime, "f").await.unwrap(), "1");
    assert_eq!(call(&runtime, "f@prod").await, Err(ErrorKind::NotFound));
    runtime.remove(&name("f"), None, IfPointedTo::Refuse).await.unwrap();
    assert_eq!(call(&runtime, "f").await, Err(ErrorKind::NotFound));
    assert_eq!(publish(&runtime, "f", 3).await, 3);
    assert_eq!(call(&runtime, "f").await.unwrap(), "3");

    let history = serde_json::to_value(runtime.history(&name("f")).await.unwrap()).unwrap();
    let changes: Vec<_> = history.as_array().unwrap().iter().map(|entry| entry["change"].as_str().unwrap()).collect();
    assert_eq!(changes.iter().filter(|change| **change == "removed").count(), 2);
    assert_eq!(changes.iter().filter(|change| **change == "published").count(), 3);
    assert_eq!(changes.iter().filter(|change| **change == "alias").count(), 2);
}
