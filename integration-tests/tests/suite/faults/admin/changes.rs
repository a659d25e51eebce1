//! Changes over the network: what they do, on what condition, and who is noted for them.

use serde_json::{Value, json};

use super::{Admin, scale};
use crate::faults::support::eventually;

fn body(response: &crate::faults::support::Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

#[test]
fn a_release_is_published_moved_rolled_back_and_removed() {
    let admin = Admin::start();
    let token = admin.token("ci", &["--rights", "read,publish,alias,remove"]);
    let published =
        admin.send(&token, "PUT /functions/scale?alias=prod", &["content-type: application/wasm"], scale(10));
    let info = body(&published);
    assert_eq!((published.status, &info["version"], &info["changed"]), (201, &json!(1), &json!(true)));
    assert_eq!(admin.call("scale@prod"), (200, "10".to_owned()));
    let again = admin.send(&token, "PUT /functions/scale?alias=prod", &[], scale(10));
    assert_eq!((again.status, &body(&again)["changed"]), (200, &json!(false)));
    assert_eq!(again.headers["etag"], published.headers["etag"]);
    assert_eq!(admin.publish(&token, "scale", 20).status, 201);
    let moved = admin.send(&token, "PUT /functions/scale/aliases/prod", &[], r#"{"weights":{"2":1}}"#);
    let expected = json!({"alias": "prod", "from": {"weights": {"1": 1}}, "to": {"weights": {"2": 1}}});
    assert_eq!((moved.status, body(&moved)), (200, expected));
    assert_eq!(admin.call("scale@prod"), (200, "20".to_owned()));
    let back = admin.send(&token, "POST /functions/scale/rollback", &[], "");
    assert_eq!((back.status, &body(&back)["to"]), (200, &json!({"weights": {"1": 1}})));
    assert_eq!(admin.call("scale@prod"), (200, "10".to_owned()));
    assert_eq!(admin.json(&token, "GET /functions/scale/versions/prod")["version"], 1);
    assert_eq!(admin.json(&token, "GET /functions/scale/aliases")[0]["by"], "ci");
    assert_eq!(admin.json(&token, "GET /functions/scale/versions")[1]["published_by"], "ci");
    assert_eq!(admin.json(&token, "GET /functions/scale/diff?from=1&to=2")["to"]["version"], 2);
    let kept = admin.send(&token, "DELETE /functions/scale/versions/1", &[], "");
    assert_eq!(kept.failure(), (422, "invalid".to_owned()));
    assert_eq!(body(&admin.send(&token, "DELETE /functions/scale/versions/2", &[], ""))["versions"], json!([2]));
    assert_eq!(admin.send(&token, "DELETE /functions/scale?force=true", &[], "").status, 200);
    assert_eq!(admin.send(&token, "GET /functions/scale", &[], "").failure(), (404, "not_found".to_owned()));
    assert_eq!(admin.call("scale").0, 404);
    let history = admin.json(&token, "GET /functions/scale/history");
    let history = history.as_array().unwrap();
    assert!(history.len() == 8 && history.iter().all(|entry| entry["by"] == "ci"), "{history:#?}");

    let line = |action: &str, outcome: &str| ["ci", action, "scale", outcome].map(str::to_owned);
    let expected = [
        line("publish", "done"),
        line("publish", "done"),
        line("publish", "done"),
        line("alias", "done"),
        line("rollback", "done"),
        line("remove", "invalid"),
        line("remove", "done"),
        line("remove", "done"),
    ];
    eventually("the last line of the audit", || (admin.audit().len() >= expected.len()).then_some(()));
    assert_eq!(admin.audit(), expected);
    let events = admin.server.events();
    let first = events.iter().find(|event| event["target"] == "nebula::audit").unwrap();
    assert_eq!((&first["alias"], &first["version"], &first["peer"]), (&json!("prod"), &json!(1), &json!("127.0.0.1")));
}

#[test]
fn a_change_is_made_only_of_the_revision_that_its_sender_knows() {
    let admin = Admin::start();
    let token = admin.root();
    let stale = (412, "stale".to_owned());
    assert_eq!(admin.send(&token, "PUT /functions/scale", &["if-match: *"], scale(1)).failure(), stale);
    let published = admin.send(&token, "PUT /functions/scale", &["if-none-match: *"], scale(1));
    assert_eq!(published.status, 201);
    assert_eq!(admin.send(&token, "PUT /functions/scale", &["if-none-match: *"], scale(2)).failure(), stale);
    let of = |response: &crate::faults::support::Response| format!("if-match: {}", response.headers["etag"]);
    let first = of(&published);
    assert_eq!(of(&admin.send(&token, "GET /functions/scale", &[], "")), first);
    let second = admin.send(&token, "PUT /functions/scale?alias=prod", &[&first], scale(2));
    assert_eq!(second.status, 201);
    let changes = [
        ("PUT /functions/scale", scale(3)),
        ("PUT /functions/scale/aliases/prod", r#"{"weights":{"1":1}}"#.to_owned()),
        ("POST /functions/scale/rollback", String::new()),
        ("DELETE /functions/scale/aliases/prod", String::new()),
        ("DELETE /functions/scale/versions/1", String::new()),
        ("DELETE /functions/scale?force=true", String::new()),
    ];
    for (line, body) in &changes {
        assert_eq!(admin.send(&token, line, &[&first], body).failure(), stale, "{line}");
        assert_eq!(admin.send(&token, line, &["if-match: x"], body).failure(), (400, "malformed".to_owned()), "{line}");
    }
    assert_eq!(of(&admin.send(&token, "GET /functions/scale", &[], "")), of(&second), "nothing has changed");
    let mut known = of(&second);
    for (line, body) in &changes {
        let changed = admin.send(&token, line, &[&known], body);
        assert!([200, 201].contains(&changed.status), "{line}: {changed:?}");
        known = of(&changed);
    }
    assert_eq!(admin.send(&token, "PUT /functions/scale", &["if-none-match: *"], scale(1)).status, 201);
}

#[test]
fn of_two_changes_of_one_revision_one_is_made() {
    let admin = Admin::start();
    let token = admin.root();
    let known = format!("if-match: {}", admin.publish(&token, "scale", 0).headers["etag"]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let publish = |factor| {
            let (admin, token, known) = (&admin, &token, &known);
            scope.spawn(move || admin.send(token, "PUT /functions/scale", &[known], scale(factor)).status)
        };
        let publishers: Vec<_> = (1..=6).map(publish).collect();
        publishers.into_iter().map(|publisher| publisher.join().unwrap()).collect()
    });
    let made = statuses.iter().filter(|status| **status == 201).count();
    assert!(made == 1 && statuses.iter().all(|status| [201, 412].contains(status)), "{statuses:?}");
    assert_eq!(admin.json(&token, "GET /functions/scale")["version"], 2);
}

#[test]
fn a_server_that_drains_ends_the_change_that_has_begun() {
    let admin = Admin::start();
    let token = admin.root();
    let module = scale(7);
    let mut client = admin.begin(&token, "PUT /functions/scale", &[], module.len());
    client.send(&module[..10]);
    // A second request on another connection shows that the server has taken the first one up.
    assert_eq!(admin.send(&token, "GET /functions", &[], "").status, 200);
    admin.server.signal("TERM");
    eventually("a closed listener", || crate::faults::support::Client::connect(&admin.address).is_err().then_some(()));
    client.send(&module[10..]);
    assert_eq!(client.response().unwrap().status, 201);
    let listed = admin.nebula(&["list"]).expect_success().text();
    assert!(listed.contains("scale  1"), "{listed}");
}
