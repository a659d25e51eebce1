//! Tests of the metrics.

use std::time::{Duration, SystemTime};

use nebula_runtime::{ErrorKind, Event, FunctionRef, Invocation, Outcome, ServiceUse, Start};

use super::*;

fn report(function: &str, version: Option<u64>, outcome: Outcome) -> Report {
    let handle = Invocation::new(function.parse::<FunctionRef>().unwrap(), Event::default()).report;
    handle.update(|report| {
        report.version = version;
        report.start = if version.is_some() { Start::Warm } else { Start::Cold };
        report.running = Duration::from_millis(2);
        report.cpu = Duration::from_millis(1);
        report.bytes_in = 3;
        report.bytes_out = 5;
        report.peak_memory = 64;
    });
    handle.finish(outcome);
    handle.snapshot()
}

fn began_at(mut report: Report, seconds: u64) -> Report {
    report.started = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    report
}

/// The samples, without comments and without the buckets of histograms.
fn samples(metrics: &Metrics) -> Vec<String> {
    let shown = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
    let mut samples: Vec<_> = metrics.encode().lines().filter(shown).map(str::to_owned).collect();
    samples.sort();
    samples
}

#[test]
fn invocations_are_counted_by_function_version_outcome_and_start() {
    let metrics = Metrics::new();
    let _in_flight = metrics.enter();
    drop(metrics.enter());
    for outcome in [Outcome::Ok, Outcome::Ok, Outcome::Failed(ErrorKind::Timeout), Outcome::Cancelled] {
        metrics.ended(&report("treats@3", Some(3), outcome));
    }
    let expected = [
        "nebula_cpu_seconds_total{function=\"treats\"} 0.004",
        "nebula_duration_seconds_count{function=\"treats\"} 4",
        "nebula_duration_seconds_sum{function=\"treats\"} 0.008",
        "nebula_in_flight 1",
        "nebula_invocations_total{function=\"treats\",version=\"3\",outcome=\"cancelled\",start=\"warm\"} 1",
        "nebula_invocations_total{function=\"treats\",version=\"3\",outcome=\"ok\",start=\"warm\"} 2",
        "nebula_invocations_total{function=\"treats\",version=\"3\",outcome=\"timeout\",start=\"warm\"} 1",
        "nebula_log_lines_lost_total 0",
        "nebula_peak_memory_bytes{function=\"treats\"} 64",
        "nebula_phase_seconds_count{function=\"treats\",phase=\"instantiate\"} 4",
        "nebula_phase_seconds_count{function=\"treats\",phase=\"load\"} 4",
        "nebula_phase_seconds_count{function=\"treats\",phase=\"queue\"} 4",
        "nebula_phase_seconds_count{function=\"treats\",phase=\"run\"} 4",
        "nebula_phase_seconds_sum{function=\"treats\",phase=\"instantiate\"} 0.0",
        "nebula_phase_seconds_sum{function=\"treats\",phase=\"load\"} 0.0",
        "nebula_phase_seconds_sum{function=\"treats\",phase=\"queue\"} 0.0",
        "nebula_phase_seconds_sum{function=\"treats\",phase=\"run\"} 0.008",
        "nebula_request_bytes_total{function=\"treats\"} 12",
        "nebula_response_bytes_total{function=\"treats\"} 20",
    ];
    assert_eq!(samples(&metrics), expected);
}

#[test]
fn a_time_is_in_the_first_bucket_that_it_fits() {
    let metrics = Metrics::new();
    for micros in [100, 101, 30_000_000, 30_000_001] {
        let mut ended = report("treats", Some(1), Outcome::Ok);
        ended.running = Duration::from_micros(micros);
        metrics.record(&ended);
    }
    let buckets = ["0.0001", "0.0005", "10.0", "30.0", "+Inf"].map(|le| {
        let sample = format!("nebula_duration_seconds_bucket{{le=\"{le}\",function=\"treats\"}} ");
        let encoded = metrics.encode();
        let count = encoded.lines().find_map(|line| line.strip_prefix(&sample)?.parse::<u64>().ok());
        count.unwrap_or_else(|| panic!("no {sample} in {encoded}"))
    });
    assert_eq!(buckets, [1, 2, 2, 3, 4]);
}

#[test]
fn a_call_that_was_refused_before_its_code_was_looked_for_has_no_start() {
    let metrics = Metrics::new();
    for (outcome, start) in [
        (Outcome::Failed(ErrorKind::Overloaded), Start::Cold),
        (Outcome::Failed(ErrorKind::Overloaded), Start::Warm),
        (Outcome::Ok, Start::Cold),
        (Outcome::Ok, Start::Cached),
    ] {
        let mut ended = report("treats", Some(1), outcome);
        ended.start = start;
        metrics.record(&ended);
    }
    let invocations = |metrics| -> Vec<_> {
        samples(metrics).into_iter().filter_map(|line| Some(line.split_once("outcome=")?.1.to_owned())).collect()
    };
    let expected = [
        "\"ok\",start=\"cached\"} 1",
        "\"ok\",start=\"cold\"} 1",
        "\"overloaded\",start=\"none\"} 1",
        "\"overloaded\",start=\"warm\"} 1",
    ];
    assert_eq!(invocations(&metrics), expected);
}

#[test]
fn functions_that_do_not_exist_share_their_series() {
    let metrics = Metrics::new();
    for number in 0..1_000 {
        metrics.record(&report(&format!("made-up-{number}"), None, Outcome::Failed(ErrorKind::NotFound)));
    }
    let expected = [
        "nebula_in_flight 0",
        "nebula_invocations_total{function=\"\",version=\"\",outcome=\"not_found\",start=\"none\"} 1000",
        "nebula_log_lines_lost_total 0",
    ];
    assert_eq!(samples(&metrics), expected);
}

#[test]
fn ten_thousand_functions_have_as_many_series_as_five_hundred_and_one() {
    let lines = |functions: u64| {
        let metrics = Metrics::new();
        for number in 0..functions {
            metrics.record(&began_at(report(&format!("f{number}"), Some(1), Outcome::Ok), 1_000));
        }
        let counted: u64 = samples(&metrics)
            .iter()
            .filter(|line| line.starts_with("nebula_invocations_total"))
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .sum();
        assert_eq!(counted, functions);
        metrics.encode().lines().count()
    };
    assert_eq!(lines(10_000), lines(501));
    assert!(lines(501) > lines(500));
}

#[test]
fn a_function_that_is_not_called_any_more_makes_room_and_what_it_counted_stays_in_the_sum() {
    let metrics = Metrics::new();
    let call = |function: String, at| metrics.record(&began_at(report(&function, Some(1), Outcome::Ok), at));
    for number in 0..500 {
        call(format!("f{number}"), 1_000);
    }
    call("f7".to_owned(), 1_050);
    let shows = |function: &str, count: u64| {
        let labels =
            format!("{{function=\"{function}\",version=\"{}\"", if function == "_other" { "other" } else { "1" });
        let sample = format!("nebula_invocations_total{labels},outcome=\"ok\",start=\"warm\"}} {count}");
        samples(&metrics).contains(&sample)
    };
    // Within the minute, the newcomer has no series of its own.
    call("late".to_owned(), 1_059);
    assert!(shows("_other", 1) && !shows("late", 1) && shows("f7", 2) && shows("f499", 1));
    call("late".to_owned(), 1_060);
    assert!(shows("_other", 500) && shows("late", 1) && shows("f7", 2) && !shows("f499", 1));
    assert!(samples(&metrics).contains(&"nebula_request_bytes_total{function=\"_other\"} 1500".to_owned()));
    assert!(metrics.calls(&"f499".parse().unwrap()).is_empty());
}

#[test]
fn calls_and_failures_are_counted_by_version_and_only_the_last_versions_have_series() {
    let metrics = Metrics::new();
    for (seconds, version) in (1..).zip([1, 2, 3, 4, 5, 6, 7, 8, 1, 9, 10]) {
        for outcome in [Outcome::Ok, Outcome::Failed(ErrorKind::GuestFault)] {
            metrics.record(&began_at(report("treats", Some(version), outcome), seconds));
        }
    }
    let calls = metrics.calls(&"treats".parse().unwrap());
    let shown: Vec<_> = calls.iter().map(|calls| (calls.version, calls.calls, calls.failures)).collect();
    let mut expected = vec![(1, 4, 2)];
    expected.extend((4..=10).map(|version| (version, 2, 1)));
    assert_eq!(shown, expected);
    let counted = |version: &str, outcome: &str, count: u64| {
        let sample =
            format!("{{function=\"treats\",version=\"{version}\",outcome=\"{outcome}\",start=\"warm\"}} {count}");
        samples(&metrics).contains(&format!("nebula_invocations_total{sample}"))
    };
    assert!(counted("other", "ok", 2) && counted("other", "guest_fault", 2) && counted("1", "ok", 2));
    assert!(!samples(&metrics).iter().any(|sample| sample.contains("version=\"2\"")));
    assert!(metrics.calls(&"other".parse().unwrap()).is_empty());
}

#[test]
fn operations_of_services_are_counted_by_version_and_the_services_are_bounded() {
    let metrics = Metrics::new();
    for number in 0..20 {
        let mut used = ServiceUse::new(format!("s{number}").parse().unwrap());
        (used.operations, used.failed, used.unavailable) = (9, 3, 1);
        used.time = Duration::from_millis(1_500);
        let mut ended = report("shop", Some(4), Outcome::Ok);
        ended.services.push(used);
        metrics.record(&ended);
    }
    let series = |name: &str| -> Vec<_> {
        let lines = samples(&metrics);
        lines.into_iter().filter_map(|line| Some(line.strip_prefix(name)?.to_owned())).collect()
    };
    let of_first: Vec<_> =
        series("nebula_service_").into_iter().filter(|line| line.contains("service=\"s0\"")).collect();
    let labels = "{function=\"shop\",version=\"4\",service=\"s0\"";
    let expected = [
        format!("operations_total{labels},outcome=\"failed\"}} 2"),
        format!("operations_total{labels},outcome=\"ok\"}} 6"),
        format!("operations_total{labels},outcome=\"unavailable\"}} 1"),
        format!("seconds_total{labels}}} 1.5"),
    ];
    assert_eq!(of_first, expected);
    let times = series("nebula_service_seconds_total");
    assert_eq!(times.len(), 17, "{times:?}");
    assert!(times.contains(&"{function=\"shop\",version=\"4\",service=\"_other\"} 6.0".to_owned()));
}

#[test]
fn what_is_held_back_is_shown_as_long_as_it_is() {
    let metrics = Metrics::new();
    let held = serde_json::from_value(serde_json::json!({
        "function": "shop@prod", "version": 4, "serves": {"weights": {"3": 1}}, "wanted": {"weights": {"4": 1}},
    }));
    metrics.hold_back(&[held.unwrap()]);
    let sample = "nebula_held_back{function=\"shop\",alias=\"prod\",version=\"4\"} 1";
    assert!(samples(&metrics).contains(&sample.to_owned()));
    metrics.hold_back(&[]);
    assert!(!samples(&metrics).iter().any(|sample| sample.contains("held_back")));
}

#[test]
fn what_a_source_reads_is_shown_with_its_labels() {
    let metrics = Metrics::new();
    metrics.show(|| {
        vec![
            Reading::gauge("queue_length", "Lines that wait", 3_u64),
            Reading::counter("queue_seconds", "Time of waiting", 0.5),
            Reading::counters("queue_lines", "Lines that came", "from", [("here", 1_u64), ("there", 2)]),
        ]
    });
    let shown: Vec<_> = samples(&metrics).into_iter().filter(|line| line.starts_with("queue")).collect();
    let lines = ["queue_lines_total{from=\"here\"} 1", "queue_lines_total{from=\"there\"} 2"];
    let expected = ["queue_length 3", lines[0], lines[1], "queue_seconds_total 0.5"];
    assert_eq!(shown, expected);
    assert!(metrics.encode().ends_with("# EOF\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_shows_what_it_uses() {
    let metrics = Metrics::new();
    metrics.show_process();
    let value = |name: &str| {
        let encoded = metrics.encode();
        let value = encoded.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no {name} in {encoded}"))
    };
    let resident = value("process_resident_memory_bytes ");
    assert!(resident > 1e6 && resident < value("process_virtual_memory_bytes "));
    assert!(value("process_open_fds ") >= 3.0 && value("process_max_fds ") >= value("process_open_fds "));
    assert!(value("process_cpu_seconds_total ") >= 0.0 && value("process_threads ") >= 1.0);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let started = value("process_start_time_seconds ");
    assert!(started <= now + 1.0 && started > now - 86_400.0 * 365.0);
}

#[test]
fn the_page_gets_the_counts_of_all_functions_together_and_of_those_that_it_shows() {
    let metrics = Metrics::new();
    let failed = Outcome::Failed(ErrorKind::Timeout);
    for (function, version, outcome) in
        [("cart", 1, Outcome::Ok), ("cart", 2, failed), ("shop", 1, Outcome::Ok), ("shop", 1, Outcome::Cancelled)]
    {
        metrics.record(&report(function, Some(version), outcome));
    }
    let live = metrics.live(|mut called| called.split_off(1));
    let two_milliseconds = |calls: u64| [0, 0, 0, calls, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let expected = serde_json::json!({
        "running": 0,
        "bounds": [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0],
        "total": {"calls": 4, "failures": 1, "buckets": two_milliseconds(4)},
        "functions": [{
            "function": "shop", "calls": 2, "failures": 0, "buckets": two_milliseconds(2),
            "versions": [{"version": 1, "calls": 2, "failures": 0}],
        }],
    });
    assert_eq!(serde_json::to_value(live).unwrap(), expected);
}
