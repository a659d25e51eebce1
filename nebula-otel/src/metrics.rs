//! Metrics as messages (OpenTelemetry's specification, "Prometheus and OpenMetrics Compatibility").

use std::{collections::BTreeMap, time::SystemTime};

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum, metric::Data, number_data_point::Value,
    },
};

use crate::{
    attributes::{own_scope, text},
    openmetrics::{Family, Sample, read},
    resource::Resource,
    time::nanos,
};

/// The times of all data points: when the process began to count, and now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) since: SystemTime,
    pub(crate) now: SystemTime,
}

/// A request with the metrics of a text in the format of OpenMetrics, and how many data points it has.
pub(crate) fn request(shown: &str, times: Times, resource: &Resource) -> (ExportMetricsServiceRequest, u64) {
    let metrics: Vec<_> = read(shown).iter().filter_map(|family| metric(family, times)).collect();
    let points = metrics.iter().map(points).sum();
    let scope_metrics = vec![ScopeMetrics { scope: Some(own_scope()), metrics, ..ScopeMetrics::default() }];
    let resource = Some(resource.message());
    let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
    (ExportMetricsServiceRequest { resource_metrics }, points)
}

fn metric(family: &Family<'_>, times: Times) -> Option<Metric> {
    if family.samples.is_empty() {
        return None;
    }
    let cumulative = AggregationTemporality::Cumulative.into();
    let numbers = || family.samples.iter().filter_map(|sample| number(sample, times)).collect();
    let data = match family.kind {
        "counter" => Data::Sum(Sum { data_points: numbers(), aggregation_temporality: cumulative, is_monotonic: true }),
        "gauge" => Data::Gauge(Gauge { data_points: numbers() }),
        "histogram" => {
            Data::Histogram(Histogram { data_points: histograms(family, times), aggregation_temporality: cumulative })
        }
        _ => return None,
    };
    Some(Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: unit(family.unit).to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

/// The unit in the code of UCUM.
fn unit(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        other => other,
    }
}

fn number(sample: &Sample<'_>, times: Times) -> Option<NumberDataPoint> {
    let value = match sample.value.parse() {
        Ok(whole) => Value::AsInt(whole),
        Err(_) => Value::AsDouble(sample.value.parse().ok()?),
    };
    Some(NumberDataPoint {
        attributes: labels(&sample.labels),
        start_time_unix_nano: nanos(times.since),
        time_unix_nano: nanos(times.now),
        value: Some(value),
        ..NumberDataPoint::default()
    })
}

fn labels(labels: &[(&str, String)]) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| text(*name, value.clone())).collect()
}

/// The buckets, sums and counts with the same labels make one data point.
fn histograms(family: &Family<'_>, times: Times) -> Vec<HistogramDataPoint> {
    let mut points = BTreeMap::<Vec<(&str, String)>, HistogramDataPoint>::new();
    for sample in &family.samples {
        let own = sample.labels.iter().filter(|(name, _)| *name != "le").cloned().collect::<Vec<_>>();
        let point = points.entry(own).or_insert_with_key(|own| HistogramDataPoint {
            attributes: labels(own),
            start_time_unix_nano: nanos(times.since),
            time_unix_nano: nanos(times.now),
            ..HistogramDataPoint::default()
        });
        add(point, sample);
    }
    points
        .into_values()
        .map(|mut point| {
            apart(&mut point.bucket_counts);
            point
        })
        .collect()
}

fn add(point: &mut HistogramDataPoint, sample: &Sample<'_>) {
    let count = || sample.value.parse().unwrap_or_default();
    match sample.suffix {
        "_count" => point.count = count(),
        "_sum" => point.sum = sample.value.parse().ok(),
        "_bucket" => {
            point.bucket_counts.push(count());
            let longest =
                sample.labels.iter().find(|(name, _)| *name == "le").map(|(_, longest)| longest.parse::<f64>());
            point.explicit_bounds.extend(longest.and_then(Result::ok).filter(|longest| longest.is_finite()));
        }
        _ => {}
    }
}

/// A bucket of Prometheus has the counts of all lower ones as well.
fn apart(counts: &mut [u64]) {
    let mut lower = 0;
    for count in counts {
        (lower, *count) = (*count, count.saturating_sub(lower));
    }
}

fn points(metric: &Metric) -> u64 {
    let points = match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        _ => 0,
    };
    points as u64
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_histogram_is_one_data_point_for_its_labels() {
        let shown = "# HELP t_seconds Time.\n# TYPE t_seconds histogram\n# UNIT t_seconds seconds\n\
                     t_seconds_sum{f=\"a\"} 0.5\nt_seconds_count{f=\"a\"} 4\nt_seconds_bucket{le=\"0.1\",f=\"a\"} 1\n\
                     t_seconds_bucket{le=\"1.0\",f=\"a\"} 3\nt_seconds_bucket{le=\"+Inf\",f=\"a\"} 4\n\
                     # TYPE n gauge\nn 1.5\n# TYPE c counter\nc_total{f=\"a\"} 7\n# TYPE none gauge\n# EOF\n";
        let times = Times { since: UNIX_EPOCH + Duration::from_secs(1), now: UNIX_EPOCH + Duration::from_secs(2) };
        let (request, points) = request(shown, times, &Resource::default());
        assert_eq!(points, 3);
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let Some(Data::Histogram(histogram)) = &metrics[0].data else { panic!("{metrics:?}") };
        let expected = HistogramDataPoint {
            attributes: vec![text("f", "a")],
            start_time_unix_nano: 1_000_000_000,
            time_unix_nano: 2_000_000_000,
            count: 4,
            sum: Some(0.5),
            bucket_counts: vec![1, 2, 1],
            explicit_bounds: vec![0.1, 1.0],
            ..HistogramDataPoint::default()
        };
        assert_eq!((histogram.data_points.as_slice(), metrics[0].unit.as_str()), ([expected].as_slice(), "s"));
        let Some(Data::Sum(sum)) = &metrics[2].data else { panic!("{metrics:?}") };
        assert_eq!((metrics[2].name.as_str(), sum.data_points[0].value), ("c", Some(Value::AsInt(7))));
        assert_eq!(metrics.len(), 3);
    }
}
