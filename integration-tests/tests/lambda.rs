//! An environment of AWS Lambda: how it starts, what an invocation is told, what becomes of it when things go wrong,
//! and how it ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    sync::mpsc::TryRecvError,
    time::{Duration, Instant},
};

use http::Request;
use nebula_integration_tests::{Event, Function, Guest, Invoked, Lambda, Package, Reply};
use serde_json::{Value, json};

/// The functions that are named like these guests.
fn package(guests: &[&str]) -> Package {
    Package::new(&guests.iter().map(|guest| function(guest)).collect::<Vec<_>>())
}

fn function(guest: &str) -> Function {
    let functions = Guest::named(guest).unwrap().functions;
    functions.into_iter().find(|function| function.name == guest).unwrap()
}

/// A function that spins until the invocation's deadline.
fn spin() -> Function {
    Function { config: toml::Table::from_iter([("timeout".to_owned(), "10m".into())]), ..function("spin") }
}

fn get(path: &str) -> Event {
    Event::of_request(&Request::get(path).body(None).unwrap())
}

fn failure(kind: &str, message: &str) -> Value {
    json!({ "errorType": kind, "errorMessage": message })
}

/// Where an answer was sent, and what it says.
fn said(invoked: &Invoked) -> (&str, Value) {
    (&invoked.endpoint, invoked.json())
}

/// An environment that answers one event as it should.
fn assert_well(lambda: &Lambda) {
    assert_eq!(said(&lambda.invoke(Event::new("10"))), ("response", json!(10)), "{}", lambda.log());
}

#[test]
fn a_package_s_only_function_is_what_events_are_for() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    assert_well(&lambda);
    let at_root = lambda.invoke(get("/10")).json();
    let by_name = lambda.invoke(get("/api/treats/10")).json();
    assert_eq!((&at_root["statusCode"], &at_root["body"]), (&json!(200), &json!("10")));
    assert_eq!((&by_name["statusCode"], &by_name["body"]), (&json!(200), &json!("10")));
}

#[test]
fn of_several_functions_one_is_to_be_named() {
    let package = package(&["treats", "hello"]);
    let lambda = Lambda::start(&package, &[]);
    let detail = "the package has several functions: name the one that handles events in NEBULA_FUNCTION";
    assert_eq!(said(&lambda.invoke(Event::new("10"))), ("error", failure("not_found", detail)));
    let listed = lambda.invoke(get("/")).json();
    let listed_body: Value = serde_json::from_str(listed["body"].as_str().unwrap()).unwrap();
    let functions = listed_body["functions"].as_array().unwrap();
    let names: Vec<_> = functions.iter().map(|function| function["name"].clone()).collect();
    assert_eq!((names, &listed["statusCode"]), (vec![json!("hello"), json!("treats")], &json!(200)));

    assert_well(&Lambda::start(&package, &[("NEBULA_FUNCTION", "treats:treats@1")]));
}

#[test]
fn what_cannot_start_says_why_and_ends() {
    let package = package(&["treats"]);
    let cases = [
        ("NEBULA_FUNCTION", "nobody", "failed to find the function that handles events: there is no function nobody"),
        ("NEBULA_INVOKE_MODE", "stream", "invalid NEBULA_INVOKE_MODE \"stream\": expected BUFFERED or RESPONSE_STREAM"),
    ];
    for (name, value, expected) in cases {
        let lambda = Lambda::start(&package, &[(name, value)]);
        let told = lambda.api().wait_for("init_error");
        assert_eq!(told["errorType"], "Nebula.InitError");
        assert!(told["errorMessage"].as_str().unwrap().starts_with(expected), "{told}");
        let ended = lambda.ended();
        assert!(ended.exit_code == 1 && ended.stderr.contains(&expected[..30]), "{ended:#?}");
    }
}

#[test]
fn a_handler_is_told_what_lambda_says_of_its_event_and_a_command_is_not() {
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let tell = |guest| {
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
    let pairs: Vec<(String, String)> = serde_json::from_value(tell("http-request")["headers"].clone()).unwrap();
    assert_eq!(json!(BTreeMap::from_iter(pairs)), expected);
    assert_eq!(tell("environment")["environment"], json!({}));
}

#[test]
fn a_function_that_spins_fails_before_lambda_would_end_the_environment() {
    let package = Package::new(&[spin()]);
    let lambda = Lambda::start(&package, &[("NEBULA_DEADLINE_MARGIN", "9s")]);
    let (began, left) = (Instant::now(), Duration::from_secs(10));
    let event = Event::new("[]").with_time(left);
    let id = event.id.clone();
    let (endpoint, told) = (lambda.invoke(event), began.elapsed());
    assert_eq!((endpoint.endpoint.as_str(), &endpoint.json()["errorType"]), ("error", &json!("timeout")));
    assert_eq!(lambda.report(&id)["outcome"], "timeout");
    assert!(told < left, "{told:?}");
}

#[test]
fn a_deadline_that_is_past_is_a_timeout_and_nothing_runs() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    let event = Event::new("10").with_time(Duration::ZERO);
    let id = event.id.clone();
    let detail = "the deadline had passed before the function was started";
    assert_eq!(said(&lambda.invoke(event)), ("error", failure("timeout", detail)));
    let report = lambda.report(&id);
    assert_eq!((&report["outcome"], &report["running_us"]), (&json!("timeout"), &json!(0)));
    let refused = lambda.invoke(get("/10").with_time(Duration::ZERO)).json();
    assert_eq!(refused["statusCode"], 504);
    assert_well(&lambda);
}

#[test]
fn an_event_that_is_no_json_is_an_invalid_input() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    for event in [&b"{\"a\":"[..], b"", b"\"\xff\""] {
        let invoked = lambda.invoke(Event::new(event));
        assert_eq!((invoked.endpoint.as_str(), &invoked.json()["errorType"]), ("error", &json!("invalid_input")));
    }
    assert_well(&lambda);
}

#[test]
fn an_event_of_six_mebibytes_is_taken_and_one_byte_more_is_too_large() {
    const LIMIT: usize = 6 << 20;
    let package = package(&["stdin-unread"]);
    let lambda = Lambda::start(&package, &[]);
    let event = |size| Event::new(format!("\"{}\"", "x".repeat(size - 2)));
    assert_eq!(lambda.invoke(event(LIMIT)).endpoint, "response");
    let detail = "the request is larger than the limit of 6291456 bytes (max_request)";
    assert_eq!(said(&lambda.invoke(event(LIMIT + 1))), ("error", failure("payload_too_large", detail)));
}

#[test]
fn an_answer_that_lambda_would_not_take_is_over_a_limit_unless_it_is_streamed() {
    const SIZE: usize = 5 << 20;
    let package = package(&["http-echo"]);
    let request = Request::post("/").header("content-type", "application/octet-stream");
    // As base64, it is a third more.
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
fn an_answer_that_is_refused_is_its_own_failure_and_no_other() {
    let package = package(&["treats"]);
    for mode in ["BUFFERED", "RESPONSE_STREAM"] {
        let lambda = Lambda::start(&package, &[("NEBULA_INVOKE_MODE", mode)]);
        for event in [Event::new("10"), get("/10")] {
            for status in [400, 403, 410, 413, 500, 502] {
                let refused = lambda.invoke(event.clone().again().with_reply(Reply::Refused(status)));
                assert_eq!(refused.endpoint, "response");
            }
        }
        assert_well(&lambda);
    }
}

#[test]
fn a_stream_that_lambda_breaks_off_stops_the_function_and_nothing_else() {
    let package = package(&["http-events", "treats"]);
    let variables = [("NEBULA_INVOKE_MODE", "RESPONSE_STREAM"), ("NEBULA_FUNCTION", "treats")];
    let lambda = Lambda::start(&package, &variables);
    // It would go on for longer than any test.
    let event = get("/api/http-events?count=1000000000&ms=1").with_reply(Reply::Cut(2_000));
    let id = event.id.clone();
    let begun = lambda.invoke(event);
    let (prelude, events) = begun.streamed();
    assert_eq!(
        (&prelude["statusCode"], &prelude["headers"]["content-type"]),
        (&json!(200), &json!("text/event-stream"))
    );
    assert!(events.starts_with(b"data: 1\n\ndata: 2\n\n"), "{events:?}");
    assert_eq!(lambda.report(&id)["outcome"], "cancelled");
    assert_well(&lambda);
}

#[test]
fn an_api_that_breaks_off_an_answer_ends_the_environment() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    lambda.invoke(Event::new("10").with_reply(Reply::Cut(1)));
    let ended = lambda.ended();
    assert!(ended.exit_code == 1 && ended.stderr.contains("the Lambda runtime ended"), "{ended:#?}");
}

#[test]
fn an_api_that_does_not_keep_to_its_protocol_ends_the_environment() {
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
        let ended = lambda.ended();
        assert!(ended.exit_code == 1 && ended.stderr.contains("the Lambda runtime "), "{ended:#?}");
    }
}

#[test]
fn as_many_events_are_served_at_once_as_lambda_says() {
    let package = Package::new(&[spin(), function("treats")]);
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "2"), ("NEBULA_FUNCTION", "treats")];
    let lambda = Lambda::start(&package, &variables);
    let spinning = lambda.api().offer(get("/api/spin"));
    assert_well(&lambda);
    assert_well(&lambda);
    assert_eq!(spinning.try_recv(), Err(TryRecvError::Empty), "it spins for longer than any test");
}

#[test]
fn a_first_signal_ends_the_environment_and_a_second_changes_nothing() {
    let package = package(&["treats"]);
    let lambda = Lambda::start(&package, &[]);
    assert_eq!(lambda.api().wait_for("extension"), json!({ "events": [] }));
    assert_well(&lambda);
    lambda.signal("TERM");
    lambda.signal("TERM");
    let ended = lambda.ended();
    assert_eq!(ended.exit_code, 0, "{ended:#?}");
}
