//! The series of functions, as `/metrics` shows them.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use super::{
    functions::{Function, Functions},
    outcomes::Outcomes,
    services::Used,
    times::seconds,
    versions::Version,
};

/// Shows the series of functions.
pub(super) struct ShowFunctions(pub(super) Arc<Functions>);

impl fmt::Debug for ShowFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShowFunctions").finish_non_exhaustive()
    }
}

impl Collector for ShowFunctions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.invocations(encoder)?;
        self.durations(encoder)?;
        self.phases(encoder)?;
        self.counter(encoder, ("nebula_cpu", "Time for which guests held a thread", Unit::Seconds), |function| {
            seconds(function.usage.cpu_nanos())
        })?;
        self.counter(encoder, ("nebula_request", "Size of what guests were given", Unit::Bytes), |function| {
            function.usage.bytes_in()
        })?;
        self.counter(encoder, ("nebula_response", "Size of what guests answered", Unit::Bytes), |function| {
            function.usage.bytes_out()
        })?;
        self.peaks(encoder)?;
        self.operations(encoder)?;
        self.service_time(encoder)
    }
}

impl ShowFunctions {
    fn invocations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Invocations that ended, by version, by how they ended and by how they started";
        let mut family = encoder.encode_descriptor("nebula_invocations", help, None, MetricType::Counter)?;
        each_outcome(&mut family, "", "", &self.0.unknown)?;
        self.each_version(|function, number, version| each_outcome(&mut family, function, number, &version.outcomes))
    }

    fn durations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time from arrival to the end of the answer";
        let unit = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor("nebula_duration", help, unit, MetricType::Histogram)?;
        self.each(|name, function| function.usage.duration.encode(family.encode_family(&[("function", name)])?))
    }

    fn phases(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time of each phase of an invocation: queue, load, instantiate, run, and in services";
        let unit = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor("nebula_phase", help, unit, MetricType::Histogram)?;
        self.each(|name, function| {
            for (phase, times) in function.usage.phases().filter(|(_, times)| !times.is_empty()) {
                times.encode(family.encode_family(&[("function", name), ("phase", phase)])?)?;
            }
            Ok(())
        })
    }

    /// Shows a counter of each function.
    fn counter<N: EncodeCounterValue>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help, unit): (&str, &str, Unit),
        value: impl Fn(&Function) -> N,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, Some(&unit), MetricType::Counter)?;
        self.each(|name, function| count(&mut family.encode_family(&[("function", name)])?, &value(function)))
    }

    fn peaks(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "The most memory of one invocation";
        let unit = Some(&Unit::Bytes);
        let mut family = encoder.encode_descriptor("nebula_peak_memory", help, unit, MetricType::Gauge)?;
        self.each(|name, function| {
            family.encode_family(&[("function", name)])?.encode_gauge(&function.usage.peak_memory())
        })
    }

    fn operations(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Operations of services, by version and by how they ended";
        let mut family = encoder.encode_descriptor("nebula_service_operations", help, None, MetricType::Counter)?;
        self.each_service(|function, version, service, used| {
            for (outcome, operations) in used.operations().into_iter().filter(|(_, operations)| *operations > 0) {
                let labels = [("function", function), ("version", version), ("service", service), ("outcome", outcome)];
                count(&mut family.encode_family(&labels)?, &operations)?;
            }
            Ok(())
        })
    }

    fn service_time(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time that guests spent in services";
        let unit = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor("nebula_service", help, unit, MetricType::Counter)?;
        self.each_service(|function, version, service, used| {
            let labels = [("function", function), ("version", version), ("service", service)];
            count(&mut family.encode_family(&labels)?, &seconds(used.nanos()))
        })
    }

    /// Shows each function that was called.
    fn each(&self, mut show: impl FnMut(&str, &Function) -> fmt::Result) -> fmt::Result {
        let mut result = Ok(());
        self.0.each(|name, function| {
            if !function.usage.duration.is_empty() {
                result = result.and_then(|()| show(name, function));
            }
        });
        result
    }

    fn each_version(&self, mut show: impl FnMut(&str, &str, &Version) -> fmt::Result) -> fmt::Result {
        self.each(|name, function| {
            let mut result = Ok(());
            function.versions.each(|number, version| result = result.and_then(|()| show(name, number, version)));
            result
        })
    }

    fn each_service(&self, mut show: impl FnMut(&str, &str, &str, &Used) -> fmt::Result) -> fmt::Result {
        self.each_version(|name, number, version| {
            let mut result = Ok(());
            version.services.each(|service, used| result = result.and_then(|()| show(name, number, service, used)));
            result
        })
    }
}

/// Shows the invocations of one version.
fn each_outcome(family: &mut MetricEncoder<'_>, function: &str, version: &str, outcomes: &Outcomes) -> fmt::Result {
    for counted in outcomes.counted() {
        let (outcome, start) = (counted.outcome.as_str(), counted.start);
        let labels = [("function", function), ("version", version), ("outcome", outcome), ("start", start)];
        count(&mut family.encode_family(&labels)?, &counted.count)?;
    }
    Ok(())
}

pub(super) fn count(series: &mut MetricEncoder<'_>, value: &impl EncodeCounterValue) -> fmt::Result {
    series.encode_counter::<NoLabelSet, _, f64>(value, None)
}
