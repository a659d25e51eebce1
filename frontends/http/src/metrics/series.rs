//! The metrics of one function.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use nebula_runtime::{HeldBack, Report, Start};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    services::Services,
    versions::{Invocations, Outcomes, VersionCalls, Versions},
};

/// The buckets: from a tenth of a millisecond, which a small function takes, to half a minute, the default time-out.
const SECONDS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

type Seconds = Counter<f64, AtomicU64>;

/// All metrics of functions.
#[derive(Clone)]
pub(super) struct Families {
    invocations: Invocations,
    duration: Family<FunctionLabel, Histogram, fn() -> Histogram>,
    cold_starts: Family<FunctionLabel, Counter>,
    cpu: Family<FunctionLabel, Seconds>,
    bytes_in: Family<FunctionLabel, Counter>,
    bytes_out: Family<FunctionLabel, Counter>,
    peak_memory: Family<FunctionLabel, Gauge>,
    held_back: Family<HeldLabels, Gauge>,
    services: Services,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FunctionLabel {
    function: Arc<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeldLabels {
    function: String,
    alias: String,
    version: u64,
}

/// The metrics of one function. Each series is made with its first value.
pub(super) struct Series {
    families: Families,
    label: FunctionLabel,
    versions: Versions,
    cold_starts: OnceLock<Counter>,
    usage: OnceLock<Usage>,
}

/// The metrics of invocations whose function exists.
struct Usage {
    duration: Histogram,
    cpu: Seconds,
    bytes_in: Counter,
    bytes_out: Counter,
    peak_memory: Gauge,
}

impl Families {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let families = Self {
            invocations: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            cold_starts: Family::default(),
            cpu: Family::default(),
            bytes_in: Family::default(),
            bytes_out: Family::default(),
            peak_memory: Family::default(),
            held_back: Family::default(),
            services: Services::register(registry),
        };
        let Self { invocations, duration, cold_starts, cpu, bytes_in, bytes_out, peak_memory, held_back, services: _ } =
            families.clone();
        registry.register("invocations", "Invocations that ended, by version and by how they did", invocations);
        registry.register("cold_starts", "Invocations that had to load their code", cold_starts);
        registry.register_with_unit("duration", "Time from arrival to the end of the answer", Unit::Seconds, duration);
        registry.register_with_unit("cpu", "Time for which guests held a thread", Unit::Seconds, cpu);
        registry.register_with_unit("request", "Size of what guests were given", Unit::Bytes, bytes_in);
        registry.register_with_unit("response", "Size of what guests answered", Unit::Bytes, bytes_out);
        registry.register_with_unit("peak_memory", "The most memory of one invocation", Unit::Bytes, peak_memory);
        let help = "Versions that an alias names, and that cannot be served here: the earlier version is";
        registry.register("held_back", help, held_back);
        families
    }

    /// Replaces the series of what is held back.
    pub(super) fn hold_back(&self, held_back: &[HeldBack]) {
        self.held_back.clear();
        for held in held_back {
            let (function, alias) = (held.function.name().to_string(), held.function.version().to_string());
            self.held_back.get_or_create_owned(&HeldLabels { function, alias, version: held.version }).set(1);
        }
    }

    /// Counts an invocation of a function that does not exist.
    pub(super) fn count_unknown(&self, unknown: &Outcomes, report: &Report) {
        unknown.count(&self.invocations, &Arc::default(), report);
    }

    pub(super) fn series(&self, function: String) -> Series {
        let function = Arc::new(function);
        Series {
            families: self.clone(),
            versions: Versions::new(self.invocations.clone(), Arc::clone(&function)),
            label: FunctionLabel { function },
            cold_starts: OnceLock::new(),
            usage: OnceLock::new(),
        }
    }
}

impl Series {
    /// Counts an invocation, if its version has series. Returns whether it has.
    pub(super) fn record(&self, report: &Report) -> bool {
        if !self.versions.record(report) {
            return false;
        }
        if report.start == Start::Cold {
            self.cold_starts.get_or_init(|| self.families.cold_starts.get_or_create_owned(&self.label)).inc();
        }
        self.families.services.record(&self.label.function, report);
        self.usage.get_or_init(|| Usage::of(&self.families, &self.label)).record(report);
        true
    }

    /// Makes series for a version.
    pub(super) fn add(&mut self, version: u64) {
        self.versions.add(version);
    }

    /// How many invocations of each version ended.
    pub(super) fn calls(&self) -> Vec<VersionCalls> {
        self.versions.calls()
    }
}

impl Usage {
    fn of(families: &Families, label: &FunctionLabel) -> Self {
        Self {
            duration: families.duration.get_or_create_owned(label),
            cpu: families.cpu.get_or_create_owned(label),
            bytes_in: families.bytes_in.get_or_create_owned(label),
            bytes_out: families.bytes_out.get_or_create_owned(label),
            peak_memory: families.peak_memory.get_or_create_owned(label),
        }
    }

    fn record(&self, report: &Report) {
        let duration = report.queued + report.loading + report.instantiating + report.running;
        self.duration.observe(duration.as_secs_f64());
        self.cpu.inc_by(report.cpu.as_secs_f64());
        self.bytes_in.inc_by(report.bytes_in);
        self.bytes_out.inc_by(report.bytes_out);
        let peak = i64::try_from(report.peak_memory).unwrap_or(i64::MAX);
        // Most reports are not a new peak, and a read is faster than a compare-and-swap.
        if peak > self.peak_memory.get() {
            self.peak_memory.inner().fetch_max(peak, Ordering::Relaxed);
        }
    }
}
