//! What is sent where, from the variables `OTEL_*` (OpenTelemetry's specification, "Environment Variable Specification"
//! and "OpenTelemetry Protocol Exporter").

use std::{env::consts::ARCH, path::PathBuf, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::{resource::Resource, sampler::Sampler, variables::Variables};

/// What is sent where.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where spans are sent, if anywhere.
    pub traces: Option<Endpoint>,
    /// Where metrics are sent, if anywhere.
    pub metrics: Option<Endpoint>,
    /// Where lines of the log are sent, if anywhere.
    pub logs: Option<Endpoint>,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// What describes this process.
    pub resource: Resource,
    /// How spans are collected.
    pub spans: BatchConfig,
    /// How lines of the log are collected.
    pub lines: BatchConfig,
    /// How often metrics are sent.
    pub metric_interval: Duration,
}

/// A place that takes one signal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// The whole address.
    pub url: Uri,
    /// Fields of each request, such as a token.
    pub headers: HeaderMap,
    /// How long a request may take.
    pub timeout: Duration,
    /// Whether requests are compressed with gzip.
    pub is_compressed: bool,
    /// The file with the certificates that the collector's certificate is checked with, in PEM. Without one, these are
    /// the authorities that browsers trust.
    pub certificate: Option<PathBuf>,
}

/// How spans or lines are collected before they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchConfig {
    /// How many wait at most. More are dropped.
    pub max_queue: usize,
    /// How many are sent at once.
    pub max_batch: usize,
    /// How long they wait at most.
    pub delay: Duration,
}

/// The signals, with the part of the variables' names and the path of their collector.
const SIGNALS: [(&str, &str); 3] = [("TRACES", "v1/traces"), ("METRICS", "v1/metrics"), ("LOGS", "v1/logs")];

impl Config {
    /// Reads the variables, and says what is wrong with them: a variable that cannot be read has its default. `None` if
    /// nothing is to be sent. `resource` describes the process where the variables do not.
    pub fn from_vars(
        get: impl Fn(&str) -> Option<String>,
        resource: impl IntoIterator<Item = (&'static str, String)>,
    ) -> (Option<Self>, Vec<String>) {
        let mut vars = Variables::new(get);
        if vars.is_true("OTEL_SDK_DISABLED") {
            return (None, Vec::new());
        }
        let [traces, metrics, logs] = SIGNALS.map(|(signal, path)| endpoint(&mut vars, signal, path));
        if traces.is_none() && metrics.is_none() && logs.is_none() {
            return (None, vars.warnings);
        }
        let config = Self {
            traces,
            metrics,
            logs,
            sampler: sampler(&mut vars),
            resource: described(&mut vars, resource),
            spans: batch(&mut vars, "BSP", 5_000),
            lines: batch(&mut vars, "BLRP", 1_000),
            metric_interval: vars.millis(&["OTEL_METRIC_EXPORT_INTERVAL"], 60_000).max(Duration::from_millis(1)),
        };
        (Some(config), vars.warnings)
    }
}

/// Where a signal is sent, if an endpoint is set and the signal is not turned off.
fn endpoint<F: Fn(&str) -> Option<String>>(vars: &mut Variables<F>, signal: &str, path: &str) -> Option<Endpoint> {
    let own = |name: &str| format!("OTEL_EXPORTER_OTLP_{signal}_{name}");
    let (name, text) = vars.first(&[&own("ENDPOINT"), "OTEL_EXPORTER_OTLP_ENDPOINT"])?;
    if !is_wanted(vars, signal) || !is_protobuf(vars, &own("PROTOCOL")) {
        return None;
    }
    let is_whole = name == own("ENDPOINT");
    let address = if is_whole { text.clone() } else { format!("{}/{path}", text.trim_end_matches('/')) };
    let Some(url) = url(&address) else {
        vars.warn(&name, &text, "is not the URL of an HTTP server: nothing is sent there");
        return None;
    };
    Some(Endpoint {
        url,
        headers: headers(vars, &own("HEADERS")),
        timeout: vars.millis(&[&own("TIMEOUT"), "OTEL_EXPORTER_OTLP_TIMEOUT"], 10_000),
        is_compressed: is_compressed(vars, &own("COMPRESSION")),
        certificate: vars.first(&[&own("CERTIFICATE"), "OTEL_EXPORTER_OTLP_CERTIFICATE"]).map(|(_, file)| file.into()),
    })
}

fn url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    (is_http && url.host().is_some_and(|host| !host.is_empty())).then_some(url)
}

/// Whether the signal's exporter is that of OTLP, which it is unless something else is said.
fn is_wanted<F: Fn(&str) -> Option<String>>(vars: &mut Variables<F>, signal: &str) -> bool {
    let name = format!("OTEL_{signal}_EXPORTER");
    let Some(exporter) = vars.text(&name) else { return true };
    if exporter != "otlp" && exporter != "none" {
        vars.warn(&name, &exporter, "is not supported: use otlp or none");
    }
    exporter == "otlp"
}

fn is_protobuf<F: Fn(&str) -> Option<String>>(vars: &mut Variables<F>, own: &str) -> bool {
    let Some((name, protocol)) = vars.first(&[own, "OTEL_EXPORTER_OTLP_PROTOCOL"]) else { return true };
    let is_protobuf = protocol == "http/protobuf";
    if !is_protobuf {
        vars.warn(&name, &protocol, "is not supported: use http/protobuf, which collectors take on port 4318");
    }
    is_protobuf
}

fn is_compressed<F: Fn(&str) -> Option<String>>(vars: &mut Variables<F>, own: &str) -> bool {
    match vars.first(&[own, "OTEL_EXPORTER_OTLP_COMPRESSION"]) {
        Some((_, coding)) if coding == "gzip" => true,
        Some((name, coding)) if coding != "none" => {
            vars.warn(&name, &coding, "is not supported: use gzip or none");
            false
        }
        _ => false,
    }
}

/// The fields of each request. Those of the signal replace those of all signals.
fn headers<F: Fn(&str) -> Option<String>>(vars: &mut Variables<F>, own: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ["OTEL_EXPORTER_OTLP_HEADERS", own] {
        for (key, value) in vars.pairs(name) {
            match (key.parse::<HeaderName>(), HeaderValue::try_from(value)) {
                (Ok(key), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(key, value);
                }
                _ => vars.warnings.push(format!("{name}: {key} is no valid header field: it is ignored")),
            }
        }
    }
    headers
}

fn sampler<F: Fn(&str) -> Option<String>>(vars: &mut Variables<F>) -> Sampler {
    let ratio = vars.parsed(&["OTEL_TRACES_SAMPLER_ARG"], 1.0);
    let Some(name) = vars.text("OTEL_TRACES_SAMPLER") else { return Sampler::default() };
    Sampler::parse(&name, ratio).unwrap_or_else(|| {
        vars.warn("OTEL_TRACES_SAMPLER", &name, "is not supported: parentbased_always_on is used");
        Sampler::default()
    })
}

fn batch<F: Fn(&str) -> Option<String>>(vars: &mut Variables<F>, prefix: &str, delay: u64) -> BatchConfig {
    let name = |name: &str| format!("OTEL_{prefix}_{name}");
    let max_queue = vars.parsed(&[&name("MAX_QUEUE_SIZE")], 2_048_usize).max(1);
    BatchConfig {
        max_queue,
        max_batch: vars.parsed(&[&name("MAX_EXPORT_BATCH_SIZE")], 512_usize).clamp(1, max_queue),
        delay: vars.millis(&[&name("SCHEDULE_DELAY")], delay).max(Duration::from_millis(1)),
    }
}

fn described<F: Fn(&str) -> Option<String>>(
    vars: &mut Variables<F>,
    given: impl IntoIterator<Item = (&'static str, String)>,
) -> Resource {
    let mut resource = Resource::default();
    let own = [("telemetry.sdk.name", "nebula"), ("telemetry.sdk.language", "rust"), ("host.arch", arch())];
    own.into_iter().for_each(|(name, value)| resource.set(name, value));
    resource.set("telemetry.sdk.version", env!("CARGO_PKG_VERSION"));
    resource.set("service.name", "nebula");
    given.into_iter().for_each(|(name, value)| resource.set(name, value));
    vars.pairs("OTEL_RESOURCE_ATTRIBUTES").into_iter().for_each(|(name, value)| resource.set(name, value));
    if let Some(name) = vars.text("OTEL_SERVICE_NAME") {
        resource.set("service.name", name);
    }
    resource
}

fn arch() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests;
