//! The dashboard and the alert rules in `ops/`: they use series that a server has.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nebula_integration_tests::{Collector, Nebula};
use serde_json::Value;

use crate::faults::support::{Server, project};

fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops").join(file)
}

/// All series that a server has, by the types that `/metrics` declares.
fn series() -> BTreeSet<String> {
    let collector = Collector::start();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address()));
    let nebula = Nebula::built().with_environment([endpoint]);
    let server = Server::start_as(&nebula, &project("[functions.treats]\nsource = \"@treats\""));
    assert_eq!(server.get("/api/treats/10").status, 200);
    let (_, metrics) = server.get("/metrics").summary();
    let declared = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let names = |(name, kind): (&str, &str)| match kind {
        "counter" => vec![format!("{name}_total")],
        "histogram" => ["bucket", "count", "sum"].map(|part| format!("{name}_{part}")).to_vec(),
        _ => vec![name.to_owned()],
    };
    declared.flat_map(names).collect()
}

/// The names of metrics in an expression: the words that are no label and no function.
fn metrics_of(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    let metrics = words.filter(|word| word.starts_with("nebula_") || word.starts_with("process_"));
    metrics.map(str::to_owned).collect()
}

/// The values of all members `expr` and of queries for the values of a label.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::String(text) if name == "expr" || (name == "query" && text.contains('(')) => {
                found.push(text.clone());
            }
            _ => expressions(value, found),
        }),
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// The lines of the expressions of rules, which are all that name a metric but for comments and annotations.
fn expressions_of_rules(rules: &str) -> Vec<String> {
    let lines = rules.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.starts_with(['#', '-']) && !line.starts_with("description:"));
    lines.filter(|line| !metrics_of(line).is_empty()).map(str::to_owned).collect()
}

#[test]
fn every_expression_of_the_dashboard_and_of_the_rules_names_series_that_a_server_has() {
    let dashboard: Value = serde_json::from_slice(&fs::read(ops("grafana-dashboard.json")).unwrap()).unwrap();
    let mut found = expressions_of_rules(&fs::read_to_string(ops("prometheus-rules.yml")).unwrap());
    assert!(found.len() >= 10, "{found:?}");
    expressions(&dashboard, &mut found);
    assert!(found.len() >= 40, "{found:?}");
    let series = series();
    for expression in found {
        let metrics = metrics_of(&expression);
        assert!(!metrics.is_empty(), "{expression} names no metric");
        let unknown: Vec<_> = metrics.difference(&series).collect();
        assert!(unknown.is_empty(), "{expression} names {unknown:?}, which /metrics does not have: {series:?}");
    }
}

/// Ignored where Prometheus' own tool is not installed.
#[test]
fn prometheus_accepts_the_rules() {
    let mut promtool = Command::new("promtool");
    let Ok(checked) = promtool.args(["check", "rules"]).arg(ops("prometheus-rules.yml")).output() else { return };
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
