//! The table of results, and the measurement of a ratio.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// The results, a table for each group of measurements.
#[derive(Default)]
pub(crate) struct Table(Vec<(&'static str, Vec<[String; 4]>)>);

impl Table {
    /// Begins a group.
    pub(crate) fn group(&mut self, name: &'static str) {
        self.0.push((name, Vec::new()));
    }

    /// Adds a row: the subject, Nebula's figure, the peer's figure, and their ratio or another comparison.
    pub(crate) fn row(&mut self, label: impl Into<String>, nebula: String, peer: String, ratio: String) {
        let row = [label.into(), nebula, peer, ratio];
        eprintln!("  {}", row.join(" | "));
        if let Some((_, rows)) = self.0.last_mut() {
            rows.push(row);
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, rows) in &self.0 {
            writeln!(f, "\n## {name}\n\n| measurement | Nebula | peer | ratio |\n|---|---|---|---|")?;
            rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))?;
        }
        Ok(())
    }
}

/// The times of Nebula and of its peer, measured in turns.
pub(crate) struct Comparison {
    /// The median time of one call.
    pub(crate) nebula: Duration,
    /// The median time of one call of the peer.
    pub(crate) peer: Duration,
    /// The median of the rounds' ratios.
    pub(crate) ratio: f64,
}

/// Measures `rounds` rounds, after one that does not count. Each round times `calls` calls of Nebula and then of the
/// peer.
pub(crate) fn compare(
    rounds: usize,
    calls: u32,
    mut nebula: impl FnMut() -> anyhow::Result<()>,
    mut peer: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Comparison> {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (our, their) = (time(calls, &mut nebula)?, time(calls, &mut peer)?);
        if round > 0 {
            ours.push(our);
            theirs.push(their);
            ratios.push(our.as_secs_f64() / their.as_secs_f64());
        }
    }
    Ok(Comparison { nebula: median(ours), peer: median(theirs), ratio: median(ratios) })
}

fn time(calls: u32, call: &mut impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    Ok(began.elapsed() / calls)
}

/// The median of the values.
pub(crate) fn median<T: PartialOrd + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_by(|left, right| left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Formats a duration in microseconds.
pub(crate) fn micros(duration: Duration) -> String {
    format!("{:.2} µs", duration.as_secs_f64() * 1e6)
}

/// Formats a duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}
