//! What a publish leaves that did not come to its end.

use std::{
    env, fs,
    future::poll_fn,
    io::{BufRead as _, BufReader},
    path::Path,
    pin::pin,
    process::{Command, Stdio},
    task::Poll,
};

use tempfile::TempDir;

use super::{name, open};
use crate::{
    function::AliasTarget,
    store::{
        Store,
        conformance::{read_version, sample},
    },
};

const FUNCTIONS: [&str; 3] = ["one", "two", "three"];

/// Tells [`publishes_until_it_is_killed`] where to.
const STORE: &str = "NEBULA_TEST_STORE";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the next test starts and kills"]
async fn publishes_until_it_is_killed() {
    let Some(folder) = env::var_os(STORE) else { return };
    let store = open(Path::new(&folder)).await.unwrap();
    for round in 0_u64.. {
        for function in FUNCTIONS {
            let version = sample(&format!("{} {round}", std::process::id()));
            let published = store.publish(&name(function), version, Some(&"prod".parse().unwrap())).await.unwrap();
            println!("published {function} {}", published.number);
        }
    }
}

#[tokio::test]
async fn a_killed_publisher_leaves_every_function_whole_and_nobody_locked_out() {
    let folder = TempDir::new().unwrap();
    for lines in 0..12 {
        let acknowledged = publish_and_kill(folder.path(), lines);
        let store = open(folder.path()).await.unwrap();
        check_all_whole(&store).await;
        for (function, number) in acknowledged {
            let record = store.record(&name(&function)).await.unwrap().unwrap();
            assert!(
                record.versions().any(|(found, _)| found == number),
                "{function} {number} was published and is gone"
            );
        }
        store.publish(&name("after"), sample(&lines.to_string()), None).await.unwrap();
    }
}

/// Kills a publisher right after it has said so many times that it published; gives what it said.
fn publish_and_kill(folder: &Path, lines: usize) -> Vec<(String, u64)> {
    let mut publisher = Command::new(env::current_exe().unwrap())
        .args(["--exact", "store::tests::crash::publishes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(STORE, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(publisher.stdout.take().unwrap());
    let said = output.lines().map_while(Result::ok).filter_map(|line| {
        let (function, number) = line.strip_prefix("published ")?.split_once(' ')?;
        Some((function.to_owned(), number.parse().unwrap()))
    });
    let said: Vec<_> = said.take(lines).collect();
    publisher.kill().unwrap();
    publisher.wait().unwrap();
    assert_eq!(said.len(), lines, "the publisher ended by itself");
    said
}

async fn check_all_whole(store: &Store) {
    for function in store.names().await.unwrap() {
        let record = store.record(&function).await.unwrap().unwrap();
        let numbers: Vec<u64> = record.versions().map(|(number, _)| number).collect();
        assert_eq!(numbers, (1..record.next_number()).collect::<Vec<_>>());
        for (_, prod) in record.aliases() {
            let moves: Vec<_> = prod.history.iter().map(|change| (change.from.clone(), change.to.clone())).collect();
            let to = |number| (number > 0).then(|| AliasTarget::version(number));
            assert_eq!(moves, numbers.iter().map(|&number| (to(number - 1), to(number))).collect::<Vec<_>>());
        }
        for (_, entry) in record.versions() {
            read_version(store, &entry.manifest).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_a_killed_publisher_was_writing_is_ignored() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    let published = store.publish(&name("treats"), sample("a"), None).await.unwrap();
    let half_written = [
        "functions/treats.json#1".to_owned(),
        "functions/other.json#1".to_owned(),
        format!("blobs/sha256/{}#1", published.module.hex()),
    ];
    for file in half_written {
        fs::write(folder.path().join(file), "{").unwrap();
    }
    store.publish(&name("treats"), sample("b"), None).await.unwrap();
    assert_eq!(store.names().await.unwrap(), [name("treats")]);
    check_all_whole(&store).await;
}

#[tokio::test]
async fn a_publish_that_is_dropped_has_happened_or_not() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    for polls in 0..40 {
        let function = name("treats");
        let mut publish = pin!(store.publish(&function, sample(&polls.to_string()), None));
        let mut left = polls;
        poll_fn(|context| {
            if left == 0 || publish.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            left -= 1;
            Poll::Pending
        })
        .await;
    }
    let last = store.publish(&name("treats"), sample("last"), None).await.unwrap();
    check_all_whole(&store).await;
    let record = store.record(&name("treats")).await.unwrap().unwrap();
    assert_eq!(record.latest().map(|(number, _)| number), Some(last.number));
}
