//! Numbers that are read when the metrics are shown.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder},
    metrics::MetricType,
    registry::Unit,
};

use super::encode::count;

/// A metric whose values are read when the metrics are shown.
#[derive(Debug, Clone)]
pub struct Reading {
    name: &'static str,
    help: &'static str,
    is_counter: bool,
    label: Option<&'static str>,
    values: Vec<(Cow<'static, str>, Number)>,
}

/// A value of a [`Reading`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Number {
    /// A count.
    Whole(u64),
    /// A measure, such as seconds.
    Real(f64),
}

impl Reading {
    /// A value that only grows. The name does not end in `_total`, which is added. If it ends in `_seconds` or
    /// `_bytes`, that is its unit.
    pub fn counter(name: &'static str, help: &'static str, value: impl Into<Number>) -> Self {
        Self::counters(name, help, "", [("", value.into())]).unlabelled()
    }

    /// A value that rises and falls.
    pub fn gauge(name: &'static str, help: &'static str, value: impl Into<Number>) -> Self {
        Self::gauges(name, help, "", [("", value.into())]).unlabelled()
    }

    /// Values that only grow, by the value of one label.
    pub fn counters<L: Into<Cow<'static, str>>, N: Into<Number>>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (L, N)>,
    ) -> Self {
        let values = values.into_iter().map(|(label, value)| (label.into(), value.into())).collect();
        Self { name, help, is_counter: true, label: Some(label), values }
    }

    /// Values that rise and fall, by the value of one label.
    pub fn gauges<L: Into<Cow<'static, str>>, N: Into<Number>>(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (L, N)>,
    ) -> Self {
        Self { is_counter: false, ..Self::counters(name, help, label, values) }
    }

    fn unlabelled(self) -> Self {
        Self { label: None, ..self }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let kind = if self.is_counter { MetricType::Counter } else { MetricType::Gauge };
        let (name, unit) = parts(self.name);
        let mut family = encoder.encode_descriptor(name, self.help, unit.as_ref(), kind)?;
        let Some(label) = self.label else {
            return self.values.iter().try_for_each(|(_, value)| self.encode_value(&mut family, *value));
        };
        self.values.iter().try_for_each(|(shown, value)| {
            self.encode_value(&mut family.encode_family(&[(label, shown.as_ref())])?, *value)
        })
    }

    fn encode_value(&self, series: &mut MetricEncoder<'_>, value: Number) -> fmt::Result {
        match (self.is_counter, value) {
            (true, Number::Whole(value)) => count(series, &value),
            (true, Number::Real(value)) => count(series, &value),
            (false, Number::Whole(value)) => series.encode_gauge(&value),
            (false, Number::Real(value)) => series.encode_gauge(&value),
        }
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<bool> for Number {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// The name without its unit, and the unit.
fn parts(name: &str) -> (&str, Option<Unit>) {
    match (name.strip_suffix("_seconds"), name.strip_suffix("_bytes")) {
        (Some(name), _) => (name, Some(Unit::Seconds)),
        (_, Some(name)) => (name, Some(Unit::Bytes)),
        (None, None) => (name, None),
    }
}

/// What gives readings.
type Source = dyn Fn() -> Vec<Reading> + Send + Sync;

/// All that gives readings.
#[derive(Clone, Default)]
pub(super) struct Readings(Arc<RwLock<Vec<Box<Source>>>>);

impl Readings {
    pub(super) fn add(&self, source: Box<Source>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(source);
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").finish_non_exhaustive()
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let sources = self.0.read().unwrap_or_else(PoisonError::into_inner);
        sources.iter().flat_map(|source| source()).try_for_each(|reading| reading.encode(&mut encoder))
    }
}
