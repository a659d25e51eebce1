//! A log that cannot be written: stderr is a file on a full disk.

use std::{
    fs::{self, OpenOptions},
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    client::{Load, RequestCounts, get},
    server::Server,
};
use crate::{invoke::TREATS, process::nebula_binary};

const CONNECTIONS: usize = 16;

/// Loads a server with calls that succeed and calls that are refused. The server logs each of them.
pub(crate) fn run(seconds: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("treats.wat"), TREATS)?;
    fs::write(folder.path().join("nebula.toml"), "[functions.treats]\nsource = \"treats.wat\"\n")?;
    let mut server = start(folder.path())?;
    let load = Load::begin(server.address(), &[("/api/treats/10", 200), ("/api/treats/ten", 400)], CONNECTIONS);
    sleep(Duration::from_secs(seconds));
    let RequestCounts { sent, failed, slowest, failure } = load.end()?;
    let (metrics, _) = get(server.address(), "/metrics");
    let metrics = metrics?.body;
    let lost = metrics.lines().find_map(|line| line.strip_prefix("nebula_log_lines_lost_total "));
    let lost: u64 = lost.context("/metrics has no nebula_log_lines_lost_total")?.parse()?;
    let began = Instant::now();
    let code = server.stop()?;
    println!("log: {seconds} s of load with stderr on a full disk");
    println!("  {sent} requests, {failed} failed, the slowest took {slowest:?}; {lost} lines of the log were lost");
    println!("  SIGTERM ended the server with {code} after {:?}", began.elapsed());
    ensure!(failed == 0, "a request failed: {}", failure.unwrap_or_default());
    ensure!(lost >= sent, "every request has a log line, but only {lost} of {sent} lines were lost");
    ensure!(code == 0, "SIGTERM ended the server with {code}");
    Ok(())
}

fn start(folder: &Path) -> Result<Server> {
    let mut command = Command::new(nebula_binary()?);
    command.current_dir(folder).args(["serve", "--store", "store", "--cache", "cache", "--reports", "all"]);
    Server::start(&mut command, OpenOptions::new().write(true).open("/dev/full")?)
}
