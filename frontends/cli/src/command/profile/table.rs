//! The functions of a profile that ran the longest themselves, as a table.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use nebula_runtime::{Profile, ProfileFrame};

use crate::print;

/// How many functions are listed.
const LISTED: usize = 10;

/// The samples of one function.
#[derive(Default)]
struct Share<'a> {
    /// Those in which it ran itself.
    own: u64,
    /// Those in which it ran, or a function that it called.
    total: u64,
    /// Those in which it ran itself, by line.
    lines: BTreeMap<(&'a str, Option<u64>), u64>,
}

/// The table, the hottest function first.
pub(super) fn table(profile: &Profile) -> String {
    let all = profile.samples.len() as u64;
    let mut shares: Vec<_> = shares(profile).into_iter().filter(|(_, share)| share.own > 0).collect();
    shares.sort_by(|(left, a), (right, b)| (b.own, b.total).cmp(&(a.own, a.total)).then(left.cmp(right)));
    let header = ["self", "total", "function"].map(str::to_owned);
    let row = |(name, share): (&str, Share<'_>)| {
        [percent(share.own, all), percent(share.total, all), format!("{name}{}", share.hottest_line())]
    };
    let rows: Vec<_> = std::iter::once(header).chain(shares.into_iter().take(LISTED).map(row)).collect();
    if all == 0 { String::new() } else { print::table(&rows) }
}

fn shares(profile: &Profile) -> HashMap<&str, Share<'_>> {
    let mut shares: HashMap<&str, Share<'_>> = HashMap::new();
    for sample in &profile.samples {
        if let Some(ProfileFrame { function, file, line, .. }) = profile.stack(sample).next_back() {
            let share = shares.entry(function).or_default();
            share.own += 1;
            if let Some(file) = file {
                *share.lines.entry((file, *line)).or_default() += 1;
            }
        }
        // A function that calls itself counts once.
        for name in profile.stack(sample).map(|frame| frame.function.as_str()).collect::<BTreeSet<_>>() {
            shares.entry(name).or_default().total += 1;
        }
    }
    shares
}

impl Share<'_> {
    /// The line that has the most samples, as what follows the function's name.
    fn hottest_line(&self) -> String {
        let hottest = self.lines.iter().max_by_key(|(_, samples)| **samples);
        let place = |(file, line): &(&str, Option<u64>)| match line {
            Some(line) => format!(" ({file}:{line})"),
            None => format!(" ({file})"),
        };
        hottest.map(|(line, _)| place(line)).unwrap_or_default()
    }
}

fn percent(samples: u64, all: u64) -> String {
    format!("{:5.1} %", 100.0 * samples as f64 / all.max(1) as f64)
}
