//! An AWS Lambda environment: its start, what a guest learns of its invocation, its failures, and its end.

use std::{
    collections::BTreeMap,
    sync::mpsc::TryRecvError,
    time::{Duration, Instant},
};

use http::Request;
use nebula_integration_tests::{Collector, Event, Function, Guest, Lambda, LambdaResponse, Package, Reply};
use serde_json::{Value, json};

/// A package of the functions with these guests' names.
fn package(guests: &[&str]) -> Package {
    Package::new(&guests.iter().map(|guest| function(guest)).collect::<Vec<_>>())
}

fn function(guest: &str) -> Function {
    let functions = Guest::named(guest).unwrap().functions;
    functions.into_iter().find(|function| function.name == guest).unwrap()
}

/// A function that spins until the deadline of its invocation.
fn spin() -> Function {
    Function { config: toml::Table::from_iter([("timeout".to_owned(), "10m".into())]), ..function("spin") }
}

fn get(path: &str) -> Event {
    Event::of_request(&Request::get(path).body(None).unwrap())
}

fn failure(kind: &str, message: &str) -> Value {
    json!({ "errorType": kind, "errorMessage": message })
}

/// The endpoint and the JSON of a response.
fn endpoint_and_json(response: &LambdaResponse) -> (&str, Value) {
    (&response.endpoint, response.json())
}

/// Checks that an environment handles an event.
fn assert_answers(lambda: &Lambda) {
    assert_eq!(endpoint_and_json(&lambda.invoke(Event::new("10"))), ("response", json!(10)), "{}", lambda.log());
}

#[test]
fn the_only_function_of_a_package_handles_events() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    assert_answers(&lambda);
    let at_root = lambda.invoke(get("/10")).json();
    let by_name = lambda.invoke(get("/api/treats/10")).json();
    assert_eq!((&at_root["statusCode"], &at_root["body"]), (&json!(200), &json!("10")));
    assert_eq!((&by_name["statusCode"], &by_name["body"]), (&json!(200), &json!("10")));
}

#[test]
fn a_package_of_several_functions_needs_the_name_of_one() {
    let package = package(&["treats", "hello"]);
    let lambda = Lambda::start(&package, &[]);
    let detail = "the package has several functions: name the one that handles events in NEBULA_FUNCTION";
    assert_eq!(endpoint_and_json(&lambda.invoke(Event::new("10"))), ("error", failure("not_found", detail)));
    let listed = lambda.invoke(get("/")).json();
    let listed_body: Value = serde_json::from_str(listed["body"].as_str().unwrap()).unwrap();
    let functions = listed_body["functions"].as_array().unwrap();
    let names: Vec<_> = functions.iter().map(|function| function["name"].clone()).collect();
    assert_eq!((names, &listed["statusCode"]), (vec![json!("hello"), json!("treats")], &json!(200)));

    assert_answers(&Lambda::start(&package, &[("NEBULA_FUNCTION", "treats:treats@1")]));
}

#[test]
fn an_environment_that_cannot_start_says_why_and_exits() {
    let package = package(&["treats"]);
    let cases = [
        ("NEBULA_FUNCTION", "nobody", "failed to find the function that handles events: there is no function nobody"),
        ("NEBULA_INVOKE_MODE", "stream", "invalid NEBULA_INVOKE_MODE \"stream\": expected BUFFERED or RESPONSE_STREAM"),
    ];
    for (name, value, expected) in cases {
        let lambda = Lambda::start(&package, &[(name, value)]);
        let message = lambda.api().wait_for_message("init_error");
        assert_eq!(message["errorType"], "Nebula.InitError");
        assert!(message["errorMessage"].as_str().unwrap().starts_with(expected), "{message}");
        let output = lambda.wait();
        assert!(output.exit_code == 1 && output.stderr.contains(&expected[..30]), "{output:#?}");
    }
}

#[test]
fn a_handler_gets_lambdas_header_fields_and_a_command_does_not() {
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let invoke = |guest| {
        let event = Event::new("{}")
            .with("lambda-runtime-trace-id", trace)
            .with("lambda-runtime-client-context", r#"{"custom":{"a":"1"}}"#)
            .with("lambda-runtime-cognito-identity", r#"{"identityId":"i","identityPoolId":"p"}"#);
        Lambda::start(&package(&[guest]), &[]).invoke(event).json()
    };
    let client = json!({
        "client": { "appPackageName": "", "appTitle": "", "appVersionCode": "", "appVersionName": "", "installationId": "" },
        "custom": { "a": "1" },
        "environment": {},
    });
    let expected = json!({
        "content-type": "application/json",
        "lambda-runtime-client-context": client.to_string(),
        "lambda-runtime-cognito-identity": r#"{"identityId":"i","identityPoolId":"p"}"#,
        "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-central-1:123456789012:function:tests",
        "lambda-runtime-trace-id": trace,
    });
    let pairs: Vec<(String, String)> = serde_json::from_value(invoke("http-request")["headers"].clone()).unwrap();
    assert_eq!(json!(BTreeMap::from_iter(pairs)), expected);
    assert_eq!(invoke("environment")["environment"], json!({}));
}

#[test]
fn a_spinning_function_times_out_before_lambda_ends_the_environment() {
    let package = Package::new(&[spin()]);
    let lambda = Lambda::start(&package, &[("NEBULA_DEADLINE_MARGIN", "9s")]);
    let (began, left) = (Instant::now(), Duration::from_secs(10));
    let event = Event::new("[]").with_time(left);
    let id = event.id.clone();
    let (response, took) = (lambda.invoke(event), began.elapsed());
    assert_eq!((response.endpoint.as_str(), &response.json()["errorType"]), ("error", &json!("timeout")));
    assert_eq!(lambda.report(&id)["outcome"], "timeout");
    assert!(took < left, "{took:?}");
}

#[test]
fn a_deadline_in_the_past_is_a_timeout_and_the_guest_does_not_run() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    let event = Event::new("10").with_time(Duration::ZERO);
    let id = event.id.clone();
    let detail = "the deadline had passed before the function was started";
    assert_eq!(endpoint_and_json(&lambda.invoke(event)), ("error", failure("timeout", detail)));
    let report = lambda.report(&id);
    assert_eq!((&report["outcome"], &report["running_us"]), (&json!("timeout"), &json!(0)));
    let refused = lambda.invoke(get("/10").with_time(Duration::ZERO)).json();
    assert_eq!(refused["statusCode"], 504);
    assert_answers(&lambda);
}

#[test]
fn an_event_that_is_not_json_is_an_invalid_input() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    for event in [&b"{\"a\":"[..], b"", b"\"\xff\""] {
        let response = lambda.invoke(Event::new(event));
        assert_eq!((response.endpoint.as_str(), &response.json()["errorType"]), ("error", &json!("invalid_input")));
    }
    assert_answers(&lambda);
}

#[test]
fn an_event_may_have_six_mebibytes_and_not_one_byte_more() {
    const LIMIT: usize = 6 << 20;
    let package = package(&["stdin-unread"]);
    let lambda = Lambda::start(&package, &[]);
    let event = |size| Event::new(format!("\"{}\"", "x".repeat(size - 2)));
    assert_eq!(lambda.invoke(event(LIMIT)).endpoint, "response");
    let detail = "the request is larger than the limit of 6291456 bytes (max_request)";
    assert_eq!(endpoint_and_json(&lambda.invoke(event(LIMIT + 1))), ("error", failure("payload_too_large", detail)));
}

#[test]
fn a_buffered_response_that_is_too_large_for_lambda_exceeds_a_limit_and_a_streamed_one_does_not() {
    const SIZE: usize = 5 << 20;
    let package = package(&["http-echo"]);
    let request = Request::post("/").header("content-type", "application/octet-stream");
    // Base64 makes it a third larger.
    let event = Event::of_request(&request.body(Some(vec![0xff; SIZE])).unwrap());

    let refused = Lambda::start(&package, &[]).invoke(event.clone()).json();
    let problem: Value = serde_json::from_str(refused["body"].as_str().unwrap()).unwrap();
    assert_eq!((&refused["statusCode"], &problem["kind"]), (&json!(502), &json!("limit_exceeded")));

    let streamed = Lambda::start(&package, &[("NEBULA_INVOKE_MODE", "RESPONSE_STREAM")]).invoke(event);
    let (prelude, body) = streamed.streamed();
    assert!(prelude["statusCode"] == 200 && body == vec![0xff; SIZE], "{prelude}");
}

#[test]
fn every_cookie_and_every_character_of_a_field_reaches_a_load_balancer() {
    let package = package(&["http-fields"]);
    let lambda = Lambda::start(&package, &[]);
    let context = json!({ "elb": { "targetGroupArn": "arn" } });
    let event = json!({ "httpMethod": "GET", "path": "/", "headers": {}, "requestContext": context, "body": "" });
    let answer = lambda.invoke(Event::new(event.to_string())).json();
    let cookies = ["a=1; Path=/; HttpOnly", "b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT"];
    for (name, single, several) in [
        ("set-cookie", json!(cookies[0]), json!(cookies)),
        ("Set-cookie", json!(cookies[1]), Value::Null),
        ("x-latin", json!("café"), json!(["café"])),
        ("x-unicode", json!("café €"), json!(["café €"])),
    ] {
        assert_eq!((&answer["headers"][name], &answer["multiValueHeaders"][name]), (&single, &several), "{name}");
    }
}

#[test]
fn a_response_that_lambda_rejects_does_not_affect_later_events() {
    let package = package(&["treats"]);
    for mode in ["BUFFERED", "RESPONSE_STREAM"] {
        let lambda = Lambda::start(&package, &[("NEBULA_INVOKE_MODE", mode)]);
        for event in [Event::new("10"), get("/10")] {
            for status in [400, 403, 410, 413, 500, 502] {
                let rejected = lambda.invoke(event.clone().with_new_id().with_reply(Reply::Rejected(status)));
                assert_eq!(rejected.endpoint, "response");
            }
        }
        assert_answers(&lambda);
    }
}

#[test]
fn a_stream_that_lambda_breaks_off_stops_only_its_function() {
    let package = package(&["http-events", "treats"]);
    let variables = [("NEBULA_INVOKE_MODE", "RESPONSE_STREAM"), ("NEBULA_FUNCTION", "treats")];
    let lambda = Lambda::start(&package, &variables);
    // The function would run longer than any test.
    let event = get("/api/http-events?count=1000000000&ms=1").with_reply(Reply::Disconnect(2_000));
    let id = event.id.clone();
    let response = lambda.invoke(event);
    let (prelude, events) = response.streamed();
    assert_eq!(
        (&prelude["statusCode"], &prelude["headers"]["content-type"]),
        (&json!(200), &json!("text/event-stream"))
    );
    assert!(events.starts_with(b"data: 1\n\ndata: 2\n\n"), "{events:?}");
    assert_eq!(lambda.report(&id)["outcome"], "cancelled");
    assert_answers(&lambda);
}

#[test]
fn an_environment_exits_if_the_api_breaks_off_a_buffered_response() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    lambda.invoke(Event::new("10").with_reply(Reply::Disconnect(1)));
    let output = lambda.wait();
    assert!(output.exit_code == 1 && output.stderr.contains("the Lambda runtime ended"), "{output:#?}");
}

#[test]
fn an_environment_exits_if_the_api_violates_its_protocol() {
    let package = package(&["treats"]);
    let malformed = [
        Event::new("10").without("lambda-runtime-deadline-ms"),
        Event::new("10").with("lambda-runtime-deadline-ms", "soon"),
        Event::new("10").with("lambda-runtime-client-context", "{"),
        Event::new("10").with("lambda-runtime-cognito-identity", "[]"),
    ];
    for event in malformed {
        let lambda = Lambda::start(&package, &[]);
        drop(lambda.api().offer(event));
        let output = lambda.wait();
        assert!(output.exit_code == 1 && output.stderr.contains("the Lambda runtime "), "{output:#?}");
    }
}

#[test]
fn an_environment_serves_as_many_events_at_once_as_lambda_allows() {
    let package = Package::new(&[spin(), function("treats")]);
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "2"), ("NEBULA_FUNCTION", "treats")];
    let lambda = Lambda::start(&package, &variables);
    let spinning = lambda.api().offer(get("/api/spin"));
    assert_answers(&lambda);
    assert_answers(&lambda);
    assert_eq!(spinning.try_recv(), Err(TryRecvError::Empty), "the function spins for longer than any test");
}

#[test]
fn a_signal_ends_the_environment_and_a_second_one_changes_nothing() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    assert_eq!(lambda.api().wait_for_message("extension"), json!({ "events": [] }));
    assert_answers(&lambda);
    lambda.signal("TERM");
    lambda.signal("TERM");
    let output = lambda.wait();
    assert_eq!(output.exit_code, 0, "{output:#?}");
}

#[test]
fn an_environment_sends_what_was_observed_before_it_asks_for_the_next_event() {
    let collector = Collector::start();
    let endpoint = format!("http://{}", collector.address());
    // Within this time, nothing is sent for any other reason.
    let hour = "3600000";
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint),
        ("OTEL_BSP_SCHEDULE_DELAY", hour),
        ("OTEL_BLRP_SCHEDULE_DELAY", hour),
    ];
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &variables);
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let event = Event::new("10").with("lambda-runtime-trace-id", trace);
    assert_eq!(lambda.invoke(event).json(), json!(10));
    // It is answered only after it was asked for.
    assert_answers(&lambda);
    let spans = collector.kept("span");
    let call = spans.iter().find(|span| span["name"] == "invoke treats").unwrap();
    assert_eq!(
        (&call["trace"], &call["parent"], &call["service"]),
        (&json!("5759e988bd862e3fe1be46a994272793"), &json!("53995c3f42cd8ad8"), &json!("tests"))
    );
    assert!(!collector.kept("line").is_empty() && !collector.kept("metric").is_empty());
}
