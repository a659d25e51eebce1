//! Every call that an operation makes to the backend fails once, in turn.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    flaky::{Fault, How, Place},
    name,
};
use crate::{
    function::{AliasTarget, Digest, FunctionName, Timestamp},
    store::{
        FunctionRecord, GcOptions, IfPointedTo, Progress, Store, StoreError,
        conformance::{read_version, sample},
        layout, manifest,
    },
};

/// What is done to a store in which the functions `other` and `treats` are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Ready,
    List,
    ReadRecord,
    ReadVersion,
    Publish,
    PublishWithAlias,
    SetAlias,
    RollBack,
    Remove,
    /// The function's record cannot be understood.
    PublishOverDamage,
    /// The version is published already, and each of its blobs is corrupt.
    PublishOverCorruption,
    /// There are blobs to set aside, one to remove, and one to put back.
    CollectGarbage,
}

/// Every operation, and how many calls it makes.
///
/// A version is a manifest, a configuration and a module. A publish reads and writes these three blobs, then it reads
/// and writes the record; moving an alias, rolling it back and removing a version
/// do only this. Over damage it writes the damaged record to another place as
/// well, and over corruption it has no record to write. To collect garbage, it lists three folders, and reads two records
/// and a manifest; then it sets three blobs aside, with three calls each, deletes one, and puts one back.
const OPERATIONS: [(Operation, usize); 12] = [
    (Operation::Ready, 1),
    (Operation::List, 1),
    (Operation::ReadRecord, 1),
    (Operation::ReadVersion, 3),
    (Operation::Publish, 8),
    (Operation::PublishWithAlias, 8),
    (Operation::SetAlias, 2),
    (Operation::RollBack, 2),
    (Operation::Remove, 2),
    (Operation::PublishOverDamage, 9),
    (Operation::PublishOverCorruption, 7),
    (Operation::CollectGarbage, 19),
];

impl Operation {
    /// Lays out what the operation finds.
    async fn prepare(self, place: &Place) {
        let (store, treats) = (place.open().await.unwrap(), name("treats"));
        for function in [&name("other"), &treats] {
            store.publish(function, sample("old"), Some(&"prod".parse().unwrap())).await.unwrap();
        }
        match self {
            Self::PublishOverDamage => overwrite(&store, layout::record(&treats)).await,
            Self::PublishOverCorruption => {
                let new = store.publish(&treats, sample("new"), None).await.unwrap();
                let config = manifest::blobs_of(&store.backend, new.manifest).await.unwrap().config;
                for digest in [new.module, config, new.manifest] {
                    overwrite(&store, layout::blob(digest)).await;
                }
            }
            Self::CollectGarbage => lay_out_garbage(&store).await,
            Self::RollBack => {
                store.publish(&treats, sample("new"), Some(&"prod".parse().unwrap())).await.unwrap();
            }
            _ => {}
        }
    }

    async fn perform(self, store: &Store) -> Result<(), StoreError> {
        let treats = name("treats");
        match self {
            Self::Ready => store.ready().await,
            Self::List => store.names().await.map(drop),
            Self::ReadRecord => store.record(&treats).await.map(drop),
            Self::ReadVersion => {
                let old = Store::memory().publish(&treats, sample("old"), None).await?;
                read_version(store, &old.manifest).await.map(drop)
            }
            Self::Publish | Self::PublishOverDamage | Self::PublishOverCorruption => {
                store.publish(&treats, sample("new"), None).await.map(drop)
            }
            Self::SetAlias => {
                let target = AliasTarget::version(1);
                store.set_alias(&treats, &"beta".parse().unwrap(), Some(target), Some("ada")).await.map(drop)
            }
            Self::RollBack => store.roll_back(&treats, &"prod".parse().unwrap(), Some("ada")).await.map(drop),
            Self::Remove => match store.remove(&treats, None, IfPointedTo::Release, Some("ada")).await {
                // It is told to a caller who tries again after a removal whose answer was lost.
                Err(StoreError::NotPublished { .. }) => Ok(()),
                removed => removed.map(drop),
            },
            Self::PublishWithAlias => {
                store.publish(&treats, sample("new"), Some(&"prod".parse().unwrap())).await.map(drop)
            }
            Self::CollectGarbage => {
                let store = store.clone().with_clock(later);
                let options = GcOptions { delete: true, ..GcOptions::default() };
                store.collect_garbage(options, &Progress::default()).await.map(drop)
            }
        }
    }
}

/// The year 2100: all that is written now is old by then.
fn later() -> Timestamp {
    Timestamp::from_unix(4_102_444_800)
}

/// A version that was removed, a blob that was set aside, and one that was and is needed.
async fn lay_out_garbage(store: &Store) {
    let treats = name("treats");
    let new = store.publish(&treats, sample("new"), None).await.unwrap();
    store.remove(&treats, Some(new.number), IfPointedTo::Refuse, None).await.unwrap();
    let (unneeded, module) = (Bytes::from_static(b"unneeded"), sample("old").module);
    for bytes in [unneeded, module.clone()] {
        store.backend.overwrite(&layout::unneeded(Digest::of(&bytes)), bytes).await.unwrap();
    }
    store.backend.delete(&layout::blob(Digest::of(&module))).await.unwrap();
}

async fn overwrite(store: &Store, path: object_store::path::Path) {
    store.backend.overwrite(&path, Bytes::from_static(b"{")).await.unwrap();
}

/// The records of a store's functions; `None` where one cannot be understood.
type Records = BTreeMap<FunctionName, Option<FunctionRecord>>;

async fn records(store: &Store) -> Records {
    let mut records = Records::new();
    for function in store.names().await.unwrap() {
        let record = match store.record(&function).await {
            Err(StoreError::Malformed { .. }) => None,
            read => Some(read.unwrap().unwrap()),
        };
        records.insert(function, record);
    }
    records
}

/// Reads and verifies every version that a record names.
async fn verify(store: &Store, records: &Records) {
    for (_, entry) in records.values().flatten().flat_map(FunctionRecord::versions) {
        read_version(store, &entry.manifest).await.unwrap();
    }
}

/// What the operation leaves where nothing fails.
async fn goal(new: impl Fn() -> Place, operation: Operation) -> Records {
    let place = new();
    operation.prepare(&place).await;
    let store = place.open().await.unwrap();
    operation.perform(&store).await.unwrap();
    records(&store).await
}

/// Fails each call of an operation in turn, and gives how many calls there are. Whatever fails, the store holds the old
/// or the new state, and the operation can be repeated.
async fn fail_each_call(new: impl Fn() -> Place, operation: Operation, how: How) -> usize {
    let goal = goal(&new, operation).await;
    for call in 0.. {
        let place = new();
        operation.prepare(&place).await;
        let old = records(&place.open().await.unwrap()).await;
        let (failing, flaky) = place.flaky(Fault::Once(call, how));
        let done = operation.perform(&failing).await;
        if flaky.calls() <= call {
            done.unwrap();
            return call;
        }
        let told = format!("{operation:?}, {how:?} call {call}: {done:?}");
        let is_harmless = How::HARMLESS.contains(&how);
        assert!(if is_harmless { done.is_ok() } else { matches!(done, Err(StoreError::Unavailable { .. })) }, "{told}");

        let store = place.open().await.unwrap();
        let left = records(&store).await;
        assert!(left == goal || left == old && !is_harmless, "{told}: {left:?}");
        if operation != Operation::PublishOverCorruption {
            verify(&store, &left).await;
        }
        operation.perform(&store).await.unwrap();
        assert_eq!(records(&store).await, goal, "{told}");
        verify(&store, &goal).await;
    }
    unreachable!("the calls of an operation have an end")
}

#[tokio::test]
async fn each_call_to_a_memory_fails_and_leaves_the_old_or_the_new_state() {
    for (operation, calls) in OPERATIONS {
        for how in How::FAILURES {
            assert_eq!(fail_each_call(Place::memory, operation, how).await, calls, "{operation:?} {how:?}");
        }
    }
}

#[tokio::test]
async fn each_call_to_a_folder_fails_and_leaves_the_old_or_the_new_state() {
    for (operation, calls) in OPERATIONS {
        // A folder's files are listed past the backend.
        let calls = match operation {
            Operation::List => 0,
            Operation::CollectGarbage => calls - 3,
            _ => calls,
        };
        for how in How::FAILURES {
            assert_eq!(fail_each_call(Place::folder, operation, how).await, calls, "{operation:?} {how:?}");
        }
    }
}

#[tokio::test]
async fn a_write_that_is_sent_twice_or_refused_without_a_reason_is_done_once() {
    for (operation, _) in OPERATIONS {
        for how in How::HARMLESS {
            fail_each_call(Place::memory, operation, how).await;
        }
    }
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn each_call_to_s3_fails_and_leaves_the_old_or_the_new_state() {
    let Some(_) = Place::s3() else { return };
    for (operation, calls) in OPERATIONS {
        for how in How::FAILURES {
            let made = fail_each_call(|| Place::s3().unwrap(), operation, how).await;
            assert!(made >= calls, "{operation:?} {how:?} makes {made} calls");
        }
    }
}

#[tokio::test]
async fn each_call_of_the_first_opening_fails_and_the_next_opening_succeeds() {
    for new in [Place::memory, Place::folder] {
        for how in [How::Before, How::After] {
            // The marker is looked for, and written.
            for call in 0..2 {
                let place = new();
                let error = place.open_flaky(Fault::Once(call, how)).await.unwrap_err();
                assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
                let store = place.open().await.unwrap();
                store.ready().await.unwrap();
                store.publish(&name("treats"), sample("new"), None).await.unwrap();
            }
            new().open_flaky(Fault::Once(2, how)).await.unwrap();
        }
    }
}
