//! A thousand changes to fifty watched functions, in the ways in which editors save: each is served soon, none is built twice.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use nebula_integration_tests::{Kind, Saving, Way};

const CHANGES: usize = 1000;
const FUNCTIONS: usize = 50;
/// From the end of saving to the first answer of what was saved.
const SOON: Duration = Duration::from_secs(2);
/// Repeats a run.
const SEED: &str = "NEBULA_SOAK_SEED";

/// Takes as long as the changes do: minutes.
pub(crate) fn run(_: u64) -> Result<()> {
    let seed = std::env::var(SEED).ok().map(|seed| seed.parse().with_context(|| format!("{SEED} is no number")));
    let seed = seed.transpose()?.unwrap_or_else(|| fastrand::u64(..));
    println!("watch: {SEED}={seed}");
    let mut random = Rng::with_seed(seed);
    let kinds: Vec<_> = (0..FUNCTIONS).map(|index| if index % 2 == 0 { Kind::Source } else { Kind::Input }).collect();
    let mut saving = Saving::start(&kinds);
    let mut took = Vec::with_capacity(CHANGES);
    for number in 0..CHANGES {
        let (index, way) = (random.usize(..FUNCTIONS), random.choice(Way::ALL).unwrap_or(Way::InPlace));
        let served = saving.save(index, way);
        ensure!(served <= SOON, "change {number}, {way:?} of f{index}: {served:?}\n{}", saving.last_log());
        took.push(served);
    }
    saving.check_that_nothing_was_done_twice();
    took.sort_unstable();
    let at = |share: usize| took.get(share * (CHANGES - 1) / 100).copied().unwrap_or_default();
    println!(
        "{CHANGES} changes of {FUNCTIONS} functions, each built and published once; served after {:?} in the middle, {:?} \
         (p99), {:?} at most",
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}
