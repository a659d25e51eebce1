//! Durations, counted in buckets.

/// How many calls took at most so long: the bound of each bucket in seconds, and the calls within it. The last bucket is
/// that of all calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Histogram(Vec<(f64, f64)>);

impl Histogram {
    /// Adds the next larger bucket.
    pub(super) fn push(&mut self, bound: f64, calls: f64) {
        self.0.push((bound, calls));
    }

    /// The calls since `before`. A server that was started anew has counted from zero.
    pub(super) fn since(&self, before: &Self) -> Self {
        let is_anew = self.0.len() != before.0.len() || self.0.iter().zip(&before.0).any(|(now, old)| now.1 < old.1);
        if is_anew {
            return self.clone();
        }
        Self(self.0.iter().zip(&before.0).map(|((bound, now), (_, old))| (*bound, now - old)).collect())
    }

    /// The time that this share of the calls took at most, as Prometheus estimates it: calls are spread evenly over
    /// their bucket. Infinite for a time beyond all bounds, and `None` without calls.
    pub(super) fn quantile(&self, share: f64) -> Option<f64> {
        let all = self.0.last().map(|(_, calls)| *calls).filter(|calls| *calls > 0.0)?;
        let rank = share * all;
        let mut below = (0.0, 0.0);
        for (bound, calls) in &self.0 {
            if *calls >= rank {
                let within = calls - below.1;
                let part = if within > 0.0 { (rank - below.1) / within } else { 1.0 };
                return Some(if bound.is_finite() { below.0 + (bound - below.0) * part } else { f64::INFINITY });
            }
            below = (*bound, *calls);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64)]) -> Histogram {
        Histogram(buckets.to_vec())
    }

    #[test]
    fn a_quantile_is_between_the_bounds_of_its_bucket() {
        let calls = histogram(&[(0.5, 0.0), (1.5, 50.0), (2.0, 90.0), (f64::INFINITY, 100.0)]);
        assert_eq!(calls.quantile(0.5), Some(1.5));
        assert_eq!(calls.quantile(0.25), Some(1.0));
        assert_eq!(calls.quantile(0.99), Some(f64::INFINITY));
        assert_eq!(histogram(&[(0.1, 0.0), (f64::INFINITY, 0.0)]).quantile(0.5), None);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn only_calls_since_the_last_look_count_and_a_server_may_start_anew() {
        let (before, now) = (histogram(&[(0.1, 5.0), (1.0, 9.0)]), histogram(&[(0.1, 6.0), (1.0, 9.0)]));
        assert_eq!(now.since(&before), histogram(&[(0.1, 1.0), (1.0, 0.0)]));
        assert_eq!(before.since(&now), before);
        assert_eq!(now.since(&Histogram::default()), now);
    }
}
