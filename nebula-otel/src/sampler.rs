//! Which traces are recorded.

use nebula_runtime::{SpanContext, TraceId};

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether the decision of a caller with a trace is followed.
    follows_caller: bool,
    /// The share of the traces that begin here, from 0 to 1.
    ratio: f64,
}

/// `parentbased_always_on`.
impl Default for Sampler {
    fn default() -> Self {
        Self { follows_caller: true, ratio: 1.0 }
    }
}

impl Sampler {
    /// The sampler of this name, as `OTEL_TRACES_SAMPLER` has it, with the ratio of its argument.
    pub fn parse(name: &str, ratio: f64) -> Option<Self> {
        let (follows_caller, name) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let ratio = match name {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => ratio.clamp(0.0, 1.0),
            _ => return None,
        };
        Some(Self { follows_caller, ratio })
    }

    /// Whether the spans of an invocation in this trace are recorded.
    pub fn samples(&self, trace: TraceId, parent: Option<&SpanContext>) -> bool {
        match parent {
            Some(parent) if self.follows_caller => parent.is_sampled,
            _ => self.is_within_ratio(trace),
        }
    }

    /// The same traces as the sampler of OpenTelemetry's SDKs: those whose id, without its first half, is low enough.
    fn is_within_ratio(&self, trace: TraceId) -> bool {
        let [.., a, b, c, d, e, f, g, h] = *trace.as_bytes();
        let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
        self.ratio >= 1.0 || random < bound(self.ratio)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the ratio is between 0 and 1, and the product below 2^63"
)]
fn bound(ratio: f64) -> u64 {
    (ratio * (1_u64 << 63) as f64) as u64
}

#[cfg(test)]
mod tests {
    use nebula_runtime::SpanId;

    use super::*;

    #[test]
    fn a_sampler_follows_the_caller_if_its_name_says_so() {
        let trace = TraceId::random();
        let caller = |is_sampled| SpanContext { trace, span: SpanId::random(), is_sampled };
        let cases = [
            ("always_on", [true, true, true]),
            ("always_off", [false, false, false]),
            ("traceidratio", [false, false, false]),
            ("parentbased_always_on", [true, true, false]),
            ("parentbased_always_off", [false, true, false]),
            ("parentbased_traceidratio", [false, true, false]),
        ];
        for (name, expected) in cases {
            let sampler = Sampler::parse(name, 0.0).unwrap();
            let decisions =
                [None, Some(caller(true)), Some(caller(false))].map(|caller| sampler.samples(trace, caller.as_ref()));
            assert_eq!(decisions, expected, "{name}");
        }
        assert_eq!(Sampler::parse("jaeger_remote", 1.0), None);
    }

    #[test]
    fn a_ratio_samples_so_many_of_the_traces() {
        let sampler = Sampler::parse("traceidratio", 0.25).unwrap();
        let sampled = (0..10_000).filter(|_| sampler.samples(TraceId::random(), None)).count();
        assert!((2_000..3_000).contains(&sampled), "{sampled}");
        let low = TraceId::parse("ffffffffffffffff3fffffffffffffff").unwrap();
        let high = TraceId::parse("00000000000000004000000000000000").unwrap();
        assert_eq!([low, high].map(|trace| sampler.samples(trace, None)), [true, false]);
    }
}
