//! Tests of the variables.

use super::*;

/// The configuration for these variables, and the warnings.
fn config(variables: &[(&str, &str)]) -> (Option<Config>, Vec<String>) {
    let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Config::from_vars(get, [("service.version", "1".to_owned())])
}

const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otel/");

/// The URLs of traces, metrics and logs.
fn urls(variables: &[(&str, &str)]) -> [Option<String>; 3] {
    let (config, warnings) = config(variables);
    assert!(warnings.is_empty(), "{warnings:?}");
    let endpoints = config.map(|config| [config.traces, config.metrics, config.logs]).unwrap_or_default();
    endpoints.map(|endpoint| endpoint.map(|endpoint| endpoint.url.to_string()))
}

#[test]
fn a_signal_is_sent_if_there_is_an_endpoint_for_it() {
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in");
    let url = |path: &str| Some(format!("http://collector:4318/otel/v1/{path}"));
    let traces = Some("https://traces.example/in".to_owned());
    let cases: [(&[_], _); 6] = [
        (&[], [None, None, None]),
        (&[BASE], [url("traces"), url("metrics"), url("logs")]),
        (&[own], [traces.clone(), None, None]),
        (&[BASE, own, ("OTEL_LOGS_EXPORTER", "none")], [traces, url("metrics"), None]),
        (&[BASE, ("OTEL_SDK_DISABLED", "TRUE")], [None, None, None]),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], [None, None, None]),
    ];
    for (variables, expected) in cases {
        assert_eq!(urls(variables), expected, "{variables:?}");
    }
}

#[test]
fn what_cannot_be_read_is_told_and_turns_nothing_else_off() {
    let cases = [
        (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "use http/protobuf", false),
        (("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"), "use http/protobuf", false),
        (("OTEL_TRACES_EXPORTER", "zipkin"), "use otlp or none", false),
        (("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4317"), "not the URL", false),
        (("OTEL_TRACES_SAMPLER", "jaeger_remote"), "parentbased_always_on is used", true),
        (("OTEL_TRACES_SAMPLER_ARG", "often"), "the default is used", true),
        (("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), "the default is used", true),
        (("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), "use gzip or none", true),
        (("OTEL_RESOURCE_ATTRIBUTES", "a"), "has no \"=\"", true),
        (("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"), "no valid header field", true),
    ];
    for (variable, expected, has_traces) in cases {
        let (config, warnings) = config(&[BASE, variable]);
        assert!(warnings.iter().any(|warning| warning.contains(expected)), "{variable:?}: {warnings:?}");
        assert!(!warnings.concat().contains("secret"));
        assert_eq!(config.is_some_and(|config| config.traces.is_some()), has_traces, "{variable:?}");
    }
}

#[test]
fn the_resource_is_that_of_the_process_unless_the_variables_say_otherwise() {
    let variables = [
        BASE,
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=ignored, deployment.environment.name=a%2Cb,service.version=2"),
        ("OTEL_SERVICE_NAME", "shop"),
    ];
    let resource = config(&variables).0.unwrap().resource;
    let shown = ["service.name", "deployment.environment.name", "service.version"].map(|name| resource.get(name));
    assert_eq!(shown, [Some("shop"), Some("a,b"), Some("2")]);
    assert_eq!(config(&[BASE]).0.unwrap().resource.get("service.name"), Some("nebula"));
}

#[test]
fn settings_of_a_signal_replace_those_of_all_signals() {
    let variables = [
        BASE,
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t,x=1"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x=2"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ("OTEL_BSP_SCHEDULE_DELAY", "7"),
    ];
    let config = config(&variables).0.unwrap();
    let shown = [config.traces, config.logs].map(Option::unwrap).map(|endpoint| {
        let field = |name: &str| endpoint.headers.get(name).unwrap().to_str().unwrap().to_owned();
        (field("authorization"), field("x"), endpoint.timeout.as_millis(), endpoint.is_compressed)
    });
    let token = || "Bearer t".to_owned();
    assert_eq!(shown, [(token(), "1".to_owned(), 5_000, false), (token(), "2".to_owned(), 250, true)]);
    let spans = BatchConfig { max_queue: 10, max_batch: 10, delay: Duration::from_millis(7) };
    let lines = BatchConfig { max_queue: 2_048, max_batch: 512, delay: Duration::from_secs(1) };
    assert_eq!((config.spans, config.lines), (spans, lines));
}
