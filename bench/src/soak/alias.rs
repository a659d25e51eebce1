//! An alias that moves a thousand times while it is called.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use nebula_runtime::{AliasName, AliasTarget, FunctionName, Runtime, Store, StoreUrl};

use super::client::exchange;
use crate::http::Server;

const MOVES: u64 = 1_000;

const CONNECTIONS: usize = 32;

/// Within this time, the server follows the store.
const PROMISE: Duration = Duration::from_secs(2);

/// A version that the alias named, from when its move was begun to when the next move had ended.
struct Named {
    version: u64,
    from: Instant,
    to: Option<Instant>,
}

/// A request, and the version that answered; or why it failed.
struct Asked {
    answer: Result<u64>,
    sent: Instant,
    received: Instant,
}

/// Each version is named ten times at most, so that an answer of it comes too late at some time.
fn version(index: u64) -> u64 {
    1 + index / 10 + index % 2
}

/// An alias is moved all the time, and called on 32 connections.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    fs::write(folder.path().join("nebula.toml"), "[[routes]]\npath = \"/shop\"\nfunction = \"answer@prod\"\n")?;
    let server = Server::nebula(folder.path())?;
    let runtime = tokio.block_on(publish(folder.path()))?;
    let (stop, address) = (Arc::<AtomicBool>::default(), server.address().to_owned());
    let client = |_| {
        let (address, stop) = (address.clone(), Arc::clone(&stop));
        thread::spawn(move || ask_on(&address, &stop))
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(client).collect();
    let named = tokio.block_on(move_alias(&runtime, Duration::from_secs(seconds) / MOVES as u32));
    sleep(PROMISE);
    stop.store(true, Relaxed);
    let joined = clients.into_iter().map(|client| client.join().map_err(|_| anyhow!("a client panicked")));
    let asked: Vec<_> = joined.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    judge(&named?, &asked)
}

async fn publish(folder: &Path) -> Result<Runtime> {
    let store = Store::open(&StoreUrl::folder(&folder.join("store"))?).await?;
    let runtime = Runtime::builder(store).concurrency(1).build()?;
    let name: FunctionName = "answer".parse()?;
    for value in 1..=version(MOVES) + 1 {
        let module = format!("(module (func (export \"answer\") (result i64) (i64.const {value})))");
        runtime.publish(&name, module).await?;
    }
    runtime.set_alias(&name, &"prod".parse()?, AliasTarget::version(1)).await?;
    Ok(runtime)
}

async fn move_alias(runtime: &Runtime, pause: Duration) -> Result<Vec<Named>> {
    let (name, prod): (FunctionName, AliasName) = ("answer".parse()?, "prod".parse()?);
    let mut named = vec![Named { version: 1, from: Instant::now(), to: None }];
    for index in 1..=MOVES {
        tokio::time::sleep(pause).await;
        let (version, from) = (version(index), Instant::now());
        runtime.set_alias(&name, &prod, AliasTarget::version(version)).await?;
        if let Some(before) = named.last_mut() {
            before.to = Some(Instant::now());
        }
        named.push(Named { version, from, to: None });
    }
    Ok(named)
}

fn ask_on(address: &str, stop: &AtomicBool) -> Vec<Asked> {
    let (mut connection, mut asked) = (None, Vec::new());
    while !stop.load(Relaxed) {
        let sent = Instant::now();
        let answer = exchange(&mut connection, address, "/shop").and_then(|answer| {
            ensure!(answer.status == 200, "got {}: {}", answer.status, answer.body);
            Ok(answer.body.parse()?)
        });
        asked.push(Asked { answer, sent, received: Instant::now() });
    }
    asked
}

fn judge(named: &[Named], asked: &[Asked]) -> Result<()> {
    let failed: Vec<_> = asked.iter().filter_map(|asked| asked.answer.as_ref().err()).collect();
    let versions: BTreeSet<_> = asked.iter().filter_map(|asked| asked.answer.as_ref().ok()).collect();
    let slowest = asked.iter().map(|asked| asked.received - asked.sent).max().unwrap_or_default();
    let is_late = |Asked { answer, sent, received }: &&Asked| {
        let in_time = |named: &&Named| named.from <= *received && named.to.is_none_or(|to| to + PROMISE >= *sent);
        answer.as_ref().is_ok_and(|version| !named.iter().filter(in_time).any(|named| named.version == *version))
    };
    let late = asked.iter().filter(is_late).count();
    println!("alias: {MOVES} moves under load on {CONNECTIONS} connections");
    println!("  {} requests, {} failed, {late} were answered by a version of too long ago", asked.len(), failed.len());
    println!("  {} versions answered, and the slowest answer took {slowest:?}", versions.len());
    ensure!(failed.is_empty(), "requests failed: {:?}", failed.first());
    ensure!(late == 0, "answers came from versions that the alias had not named for {PROMISE:?}");
    Ok(())
}
