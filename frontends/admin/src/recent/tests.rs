//! Tests of the last invocations.

use nebula_runtime::{ErrorKind, Event, FunctionRef, Invocation, Observer as _, Outcome, Report};
use serde_json::{Value, json};

use super::{RecentInvocations, Wanted, lines::LogLine};

fn report(function: &str, outcome: Outcome) -> Report {
    let handle = Invocation::new(function.parse::<FunctionRef>().unwrap(), Event::default()).report;
    handle.finish(outcome);
    handle.snapshot()
}

fn line(message: &str) -> LogLine {
    LogLine { level: "info", context: None, message: message.to_owned() }
}

const ALL: Wanted<'_> = Wanted { includes: &|_| true, failed: false, after: 0, limit: 10_000 };

/// The functions and the places of what is found.
fn found(recent: &RecentInvocations, wanted: &Wanted<'_>) -> Vec<(String, u64)> {
    let named = |shown: Value| (shown["function"].as_str().unwrap().to_owned(), shown["place"].as_u64().unwrap());
    recent.find(wanted).into_iter().map(|shown| named(json!(shown))).collect()
}

fn names(recent: &RecentInvocations, wanted: &Wanted<'_>) -> Vec<String> {
    found(recent, wanted).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn the_newest_invocations_come_first_and_those_that_failed_can_be_had_alone() {
    let recent = RecentInvocations::new();
    let failed = Outcome::Failed(ErrorKind::Timeout);
    for (function, outcome) in [("a", Outcome::Ok), ("b@1", failed), ("c", Outcome::Cancelled), ("b@2", failed)] {
        recent.ended(&report(function, outcome));
    }
    let all = found(&recent, &ALL);
    let second = all[2].1;
    let cases: [(&[&str], Wanted<'_>); 5] = [
        (&["b@2", "c", "b@1", "a"], ALL),
        (&["b@2", "b@1"], Wanted { failed: true, ..ALL }),
        (&["b@2", "c"], Wanted { after: second, ..ALL }),
        (&["b@2"], Wanted { limit: 1, ..ALL }),
        (&["c"], Wanted { includes: &|name| name.as_str() == "c", ..ALL }),
    ];
    for (expected, wanted) in cases {
        assert_eq!(names(&recent, &wanted), expected);
    }
}

#[test]
fn a_thousand_invocations_are_kept_and_many_that_succeed_do_not_push_out_those_that_failed() {
    let recent = RecentInvocations::new();
    recent.ended(&report("bad", Outcome::Failed(ErrorKind::GuestFault)));
    (0..1_500).for_each(|_| recent.ended(&report("good", Outcome::Ok)));
    assert_eq!(names(&recent, &ALL), vec!["good"; 1_000]);
    assert_eq!(names(&recent, &Wanted { failed: true, ..ALL }), ["bad"]);
}

#[test]
fn an_invocation_has_the_lines_that_its_guest_logged_as_far_as_they_are_kept() {
    let recent = RecentInvocations::new();
    let [quiet, loud] = ["quiet", "loud"].map(|function| report(function, Outcome::Ok));
    recent.log(&quiet.id.to_string(), LogLine { context: Some("shop".to_owned()), ..line("begun") });
    (0..100).for_each(|_| recent.log(&loud.id.to_string(), line(&"x".repeat(500))));
    [&quiet, &loud].into_iter().for_each(|report| recent.ended(report));
    // A handler may go on after its response, and so may its log.
    recent.log(&quiet.id.to_string(), line("ended"));
    let shown = recent.find(&ALL).into_iter().map(|shown| json!(shown)).collect::<Vec<_>>();
    assert_eq!((shown[0]["log"].as_array().unwrap().len(), &shown[0]["log_is_cut"]), (7, &json!(true)));
    let lines =
        json!([{"level": "info", "context": "shop", "message": "begun"}, {"level": "info", "message": "ended"}]);
    assert_eq!((&shown[1]["log"], shown[1].get("log_is_cut")), (&lines, None));
}

#[test]
fn texts_that_guests_and_callers_choose_are_kept_up_to_a_length() {
    let recent = RecentInvocations::new();
    for (export, failure) in [("e".repeat(256), "short".to_owned()), ("e".repeat(257), "é".repeat(1_000))] {
        let mut report = report(&format!("bad:{export}@prod"), Outcome::Failed(ErrorKind::GuestFault));
        report.failure = Some(failure);
        recent.ended(&report);
    }
    let shown = json!(recent.find(&ALL));
    assert_eq!((&shown[0]["function"], &shown[0]["failure"]), (&json!("bad@prod"), &json!("é".repeat(512))));
    let whole = format!("bad:{}@prod", "e".repeat(256));
    assert_eq!((&shown[1]["function"], &shown[1]["failure"]), (&json!(whole), &json!("short")));
}

#[test]
fn the_lines_of_the_invocation_that_logged_first_go_first() {
    let recent = RecentInvocations::new();
    let first = report("first", Outcome::Ok);
    recent.log(&first.id.to_string(), line("a"));
    (0..1_000).for_each(|number| recent.log(&number.to_string(), line("b")));
    recent.ended(&first);
    assert_eq!(json!(recent.find(&ALL))[0].get("log"), None);
}
