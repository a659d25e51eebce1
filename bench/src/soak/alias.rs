//! An alias that moves a thousand times while it is called.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, ensure};
use nebula_integration_tests::{MovingAlias, VersionAnswer};

use super::client::exchange;
use crate::http::Server;

const MOVES: u64 = 1_000;

const CONNECTIONS: usize = 32;

/// For so long after the last move, calls go on: an answer of an earlier version would be too late then.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// An alias is moved all the time, and called on 32 connections.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    fs::write(folder.path().join("nebula.toml"), MovingAlias::ROUTE)?;
    let server = Server::nebula(folder.path())?;
    let mut alias = tokio.block_on(MovingAlias::publish(&folder.path().join("store"), None, MOVES));
    let (stop, address) = (Arc::<AtomicBool>::default(), server.address().to_owned());
    let client = |_| {
        let (address, stop) = (address.clone(), Arc::clone(&stop));
        thread::spawn(move || ask_on(&address, &stop))
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(client).collect();
    tokio.block_on(move_each(&mut alias, Duration::from_secs(seconds) / MOVES as u32));
    sleep(AFTERWARDS);
    stop.store(true, Relaxed);
    let joined = clients.into_iter().map(|client| client.join().map_err(|_| anyhow!("a client panicked")));
    let answers = joined.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    judge(&alias, answers)
}

async fn move_each(alias: &mut MovingAlias, pause: Duration) {
    for _ in 0..MOVES {
        tokio::time::sleep(pause).await;
        alias.advance().await;
    }
}

fn ask_on(address: &str, stop: &AtomicBool) -> Vec<Result<VersionAnswer>> {
    let (mut connection, mut answers) = (None, Vec::new());
    while !stop.load(Relaxed) {
        let sent = Instant::now();
        answers.push(exchange(&mut connection, address, "/shop").and_then(|answer| {
            ensure!(answer.status == 200, "got {}: {}", answer.status, answer.body);
            Ok(VersionAnswer { version: answer.body.parse()?, sent, received: Instant::now() })
        }));
    }
    answers
}

fn judge(alias: &MovingAlias, answers: Vec<Result<VersionAnswer>>) -> Result<()> {
    let requests = answers.len();
    let (answers, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let versions: BTreeSet<_> = answers.iter().map(|answer| answer.version).collect();
    let slowest = answers.iter().map(|answer| answer.received - answer.sent).max().unwrap_or_default();
    let late = answers.iter().filter(|answer| alias.lateness(answer) != Some(Duration::ZERO)).count();
    println!("alias: {MOVES} moves under load on {CONNECTIONS} connections");
    println!("  {requests} requests, {} failed, {late} were answered by a version of too long ago", failed.len());
    println!("  {} versions answered, and the slowest answer took {slowest:?}", versions.len());
    let failure = failed.into_iter().find_map(Result::err);
    ensure!(failure.is_none(), "requests failed: {failure:?}");
    ensure!(late == 0, "answers came from versions that the alias had not named for two seconds");
    Ok(())
}
