//! A thousand changes to fifty watched functions, saved in the ways in which editors save files. The server serves each
//! change within two seconds, and builds none of them twice.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use nebula_integration_tests::{SaveMethod, WatchedFile, WatchedServer};

const CHANGES: usize = 1000;
const FUNCTIONS: usize = 50;
/// The most time from a save to the first response of the new version.
const SOON: Duration = Duration::from_secs(2);
/// The environment variable whose seed repeats a run.
const SEED: &str = "NEBULA_SOAK_SEED";

/// Runs until all changes are served, which takes minutes. The time that a user gives does not count.
pub(crate) fn run(_: u64) -> Result<()> {
    let seed = std::env::var(SEED).ok().map(|seed| seed.parse().with_context(|| format!("{SEED} is not a number")));
    let seed = seed.transpose()?.unwrap_or_else(|| fastrand::u64(..));
    println!("watch: {SEED}={seed}");
    let mut random = Rng::with_seed(seed);
    let files: Vec<_> = (0..FUNCTIONS)
        .map(|index| if index % 2 == 0 { WatchedFile::Source } else { WatchedFile::BuildInput })
        .collect();
    let mut server = WatchedServer::start(&files);
    let mut took = Vec::with_capacity(CHANGES);
    for number in 0..CHANGES {
        let (index, method) =
            (random.usize(..FUNCTIONS), random.choice(SaveMethod::ALL).unwrap_or(SaveMethod::InPlace));
        let served = server.save(index, method);
        ensure!(served <= SOON, "change {number}, {method:?} of f{index}: {served:?}\n{}", server.last_log());
        took.push(served);
    }
    server.check_nothing_was_done_twice();
    took.sort_unstable();
    let at = |share: usize| took.get(share * (CHANGES - 1) / 100).copied().unwrap_or_default();
    println!(
        "{CHANGES} changes of {FUNCTIONS} functions, each built and published once; served after {:?} (median), {:?} \
         (p99), {:?} (maximum)",
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}
