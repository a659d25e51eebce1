//! What a server sends to an OpenTelemetry collector, and what it does without one.

use std::net::TcpListener;

use nebula_integration_tests::{Collector, Guest, Nebula, Project};
use serde_json::Value;

use crate::faults::support::{Server, eventually, project};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A server that sends spans and lines soon, with more variables.
fn server(project: &Project, endpoint: &str, variables: &[(&'static str, &str)]) -> Server {
    let own = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
        ("OTEL_SERVICE_NAME", "shop"),
    ];
    let variables = own.iter().chain(variables).map(|(name, value)| (*name, (*value).to_owned()));
    Server::start_as(&Nebula::built().with_environment(variables), project)
}

fn functions(collector: &Collector) -> Project {
    let source = |name: &str| Guest::named(name).unwrap().path;
    project(&format!(
        "[services.state]\nkeyvalue = \"memory:\"\n\
         [functions.treats]\nsource = \"@treats\"\n\
         [functions.visits]\nsource = {:?}\nkeyvalue = {{ default = \"state\" }}\n\
         [functions.fetch]\nsource = {:?}\nallow_hosts = [\"{}\"]\n",
        source("visits"),
        source("http-fetch"),
        collector.address(),
    ))
}

fn endpoint(collector: &Collector) -> String {
    format!("http://{}", collector.address())
}

/// Sends a GET with the caller's place in a trace, and returns the status.
fn call(server: &Server, path: &str, traceparent: &str) -> u16 {
    let mut client = server.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\ntraceparent: {traceparent}\r\n\r\n"));
    client.response().unwrap().status
}

/// The first span with this name, when it has come.
fn span(collector: &Collector, name: &str) -> Value {
    eventually(name, || collector.kept("span").into_iter().find(|span| span["name"] == name))
}

#[test]
fn a_request_its_steps_and_what_its_guest_does_are_spans_of_the_callers_trace() {
    let collector = Collector::start();
    let project = functions(&collector);
    let server = server(&project, &endpoint(&collector), &[]);
    assert_eq!(call(&server, "/api/visits:count/start", &format!("00-{TRACE}-{CALLER}-01")), 200);
    let request = span(&collector, "GET /api/visits:count");
    let (invocation, guest) = (span(&collector, "invoke visits"), span(&collector, "run"));
    let operation = span(&collector, "increment state");
    let parents = [&request, &invocation, &guest, &operation].map(|span| span["parent"].clone());
    assert_eq!(parents, [CALLER.into(), request["id"].clone(), invocation["id"].clone(), guest["id"].clone()]);
    assert_eq!(span(&collector, "instantiate")["parent"], invocation["id"]);
    for span in collector.kept("span") {
        assert_eq!((&span["trace"], &span["service"], &span["error"]), (&TRACE.into(), &"shop".into(), &Value::Null));
        assert!(span["began"].as_u64() <= span["ended"].as_u64(), "{span}");
    }
    let attributes = &request["attributes"];
    assert_eq!(
        (&attributes["http.request.method"], &attributes["http.response.status_code"]),
        (&"GET".into(), &200.into())
    );
    assert_eq!(
        (&attributes["http.route"], &attributes["url.path"]),
        (&"/api/visits:count".into(), &"/api/visits:count/start".into())
    );
    let attributes = &invocation["attributes"];
    assert_eq!((&attributes["faas.name"], &attributes["faas.version"]), (&"visits".into(), &"1".into()));
    assert_eq!((&attributes["faas.trigger"], &attributes["nebula.outcome"]), (&"http".into(), &"ok".into()));
}

#[test]
fn a_request_of_a_guest_is_a_span_and_carries_it_on() {
    let collector = Collector::start();
    let project = functions(&collector);
    let server = server(&project, &endpoint(&collector), &[]);
    let path = format!("/api/fetch?url=http://{}/next?secret=1", collector.address());
    assert_eq!(call(&server, &path, &format!("00-{TRACE}-{CALLER}-01")), 200);
    let (guest, sent) = (span(&collector, "run"), span(&collector, "GET"));
    assert_eq!((&sent["parent"], &sent["trace"]), (&guest["id"], &TRACE.into()));
    assert_eq!(sent["attributes"]["url.full"], format!("http://{}/next", collector.address()));
    let [request] = &collector.kept("request")[..] else { panic!("{:?}", collector.kept("request")) };
    assert_eq!(request["traceparent"], format!("00-{TRACE}-{}-01", sent["id"].as_str().unwrap()));
}

#[test]
fn a_span_that_a_guest_makes_is_a_part_of_the_guests_span() {
    let collector = Collector::start();
    let project = project("[functions.own-spans]\nsource = \"@own-spans\"");
    let server = server(&project, &endpoint(&collector), &[]);
    assert_eq!(server.get("/api/own-spans").summary(), (200, "1".to_owned()));
    let (guest, own) = (span(&collector, "run"), span(&collector, "guest work"));
    assert_eq!((&own["trace"], &own["parent"]), (&guest["trace"], &guest["id"]));
    assert_eq!((&own["id"], &own["attributes"]["answer"]), (&"00f067aa0ba902b7".into(), &42.into()));
    assert_eq!(own["began"], 1_764_288_000_000_000_000_u64);
}

#[test]
fn a_call_that_is_not_sampled_has_no_spans_and_says_so_to_the_services_that_it_calls() {
    let collector = Collector::start();
    let project = functions(&collector);
    let server = server(&project, &endpoint(&collector), &[]);
    let fetch = format!("/api/fetch?url=http://{}/", collector.address());
    assert_eq!(call(&server, &fetch, &format!("00-{TRACE}-{CALLER}-00")), 200);
    let requests = collector.kept("request");
    assert_eq!(requests[0]["traceparent"], format!("00-{TRACE}-{CALLER}-00"));
    // The spans of a later call have come, and those of the earlier one have not.
    assert_eq!(call(&server, "/api/treats/1", &format!("00-{}-{CALLER}-01", TRACE.replace('0', "1"))), 200);
    span(&collector, "invoke treats");
    assert!(collector.kept("span").iter().all(|span| span["trace"] != TRACE));
    drop(server);

    let server = self::server(&project, &endpoint(&collector), &[("OTEL_TRACES_SAMPLER", "always_off")]);
    assert_eq!(server.get(&fetch).status, 200);
    let requests = collector.kept("request");
    let sent = requests[1]["traceparent"].as_str().unwrap();
    assert!(sent.starts_with("00-") && sent.ends_with("-00") && !sent.contains(TRACE), "{sent}");
}

#[test]
fn a_call_that_fails_is_a_span_with_its_outcome() {
    let collector = Collector::start();
    let project = functions(&collector);
    let server = server(&project, &endpoint(&collector), &[]);
    assert_eq!(server.get("/api/treats/many").status, 400);
    let request = span(&collector, "GET /api/treats");
    assert_eq!((&request["attributes"]["http.response.status_code"], &request["error"]), (&400.into(), &Value::Null));
    assert_eq!(span(&collector, "invoke treats")["attributes"]["error.type"], "invalid_input");
    assert_eq!(server.get("/api/made-up-name").status, 404);
    // A name that callers make up is no name of a span.
    let unknown = span(&collector, "invoke");
    assert_eq!(unknown["attributes"]["faas.name"], "made-up-name");
    assert_eq!(span(&collector, "GET")["id"], unknown["parent"]);
}

#[test]
fn metrics_and_lines_of_the_log_are_sent_and_what_waits_at_the_end_too() {
    let collector = Collector::start();
    let project = functions(&collector);
    let mut server = server(&project, &endpoint(&collector), &[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]);
    assert_eq!(server.get("/api/treats/many").status, 400);
    let report =
        eventually("the report", || collector.kept("line").into_iter().find(|line| line["message"] == "REPORT"));
    assert_eq!((&report["target"], &report["level"]), (&"nebula::report".into(), &"WARN".into()));
    assert_eq!(report["attributes"]["outcome"], "invalid_input");
    assert!(collector.kept("span").is_empty() && collector.kept("metric").is_empty());
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    let invocation = span(&collector, "invoke treats");
    assert_eq!((&report["trace"], &report["span"]), (&invocation["trace"], &invocation["id"]));
    let metrics = collector.kept("metric");
    let names: Vec<_> = metrics.iter().map(|metric| metric["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"nebula_invocations") && names.contains(&"nebula_duration_seconds"), "{names:?}");
}

#[test]
fn without_the_collector_calls_are_answered_spans_are_counted_as_dropped_and_the_server_ends() {
    // Nobody listens there any more.
    let endpoint = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let collector = Collector::start();
    let project = functions(&collector);
    let mut server = server(&project, &endpoint, &[("OTEL_BSP_MAX_QUEUE_SIZE", "10")]);
    for _ in 0..50 {
        assert_eq!(server.get("/api/treats/1").status, 200);
    }
    eventually("dropped spans", || {
        let (_, metrics) = server.get("/metrics").summary();
        let dropped = "nebula_telemetry_dropped_total{signal=\"spans\"} ";
        let dropped = metrics.lines().find_map(|line| line.strip_prefix(dropped)?.parse::<u64>().ok());
        dropped.filter(|dropped| *dropped >= 100)
    });
    eventually("a warning", || server.log().contains("spans cannot be sent").then_some(()));
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_collector_that_comes_back_gets_what_it_refused() {
    let collector = Collector::start();
    collector.set_away(true);
    let project = functions(&collector);
    let server = server(&project, &endpoint(&collector), &[]);
    assert_eq!(server.get("/api/treats/1").status, 200);
    eventually("a warning", || server.log().contains("spans cannot be sent").then_some(()));
    collector.set_away(false);
    span(&collector, "invoke treats");
    eventually("that it is back", || server.log().contains("the collector takes spans again").then_some(()));
}

#[test]
fn a_variable_that_is_not_supported_is_told_and_calls_are_answered() {
    let collector = Collector::start();
    let project = functions(&collector);
    let server = server(&project, &endpoint(&collector), &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert_eq!(server.get("/api/treats/1").status, 200);
    assert!(server.log().contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported: use http/protobuf"));
}
