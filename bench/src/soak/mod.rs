//! A server under load while something that it needs does not work. Each run ends by itself, prints figures, and fails
//! where the server does not keep what it promises.

mod client;
mod log;
mod store;
mod watch;

use anyhow::{Result, bail, ensure};

/// How long a run lasts where nothing else is said, in seconds.
const SECONDS: u64 = 60;

type Run = fn(u64) -> Result<()>;

const RUNS: [(&str, Run); 3] = [("store", store::run), ("log", log::run), ("watch", watch::run)];

/// `[RUN...] [SECONDS]`: those runs, or all of them, for so long each.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (names, seconds) = match arguments.split_last() {
        Some((last, names)) if last.parse::<u64>().is_ok() => (names, last.parse()?),
        _ => (arguments, SECONDS),
    };
    if let Some(unknown) = names.iter().find(|name| RUNS.iter().all(|(known, _)| known != *name)) {
        bail!("there is no run {unknown:?}: there are store, log and watch");
    }
    ensure!(seconds >= 20, "a run takes 20 seconds at least");
    for (name, run) in RUNS {
        if names.is_empty() || names.contains(&name) {
            run(seconds)?;
        }
    }
    Ok(())
}
