//! A server under load while something that it needs fails or changes. Each run ends by itself, prints figures, and
//! fails if the server does not do what Nebula promises.

mod alias;
mod away;
mod client;
mod log;
mod mixed;
mod publishers;
mod server;
mod store;
mod watch;

use anyhow::{Result, bail, ensure};

/// How long a run lasts by default, in seconds.
const SECONDS: u64 = 60;

type Run = fn(u64) -> Result<()>;

const RUNS: [(&str, Run); 7] = [
    ("store", store::run),
    ("away", away::run),
    ("log", log::run),
    ("watch", watch::run),
    ("alias", alias::run),
    ("publishers", publishers::run),
    ("mixed", mixed::run),
];

/// Takes `[RUN...] [SECONDS]`: makes these runs, or all runs, each for this time.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (names, seconds) = match arguments.split_last() {
        Some((last, names)) if last.parse::<u64>().is_ok() => (names, last.parse()?),
        _ => (arguments, SECONDS),
    };
    if let Some(unknown) = names.iter().find(|name| RUNS.iter().all(|(known, _)| known != *name)) {
        bail!("there is no run {unknown:?}: the runs are store, away, log, watch, alias, publishers and mixed");
    }
    ensure!(seconds >= 20, "a run takes 20 seconds at least");
    for (name, run) in RUNS {
        if names.is_empty() || names.contains(&name) {
            run(seconds)?;
        }
    }
    Ok(())
}
