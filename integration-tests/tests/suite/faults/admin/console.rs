//! The console of the admin API, in a browser and by its API. The tests with a browser do nothing where Chromium is not
//! installed.

use nebula_integration_tests::{Browser, Guest, Nebula, Project, eventually};
use serde_json::{Value, json};

use super::Admin;

/// A server with functions that log, fail and succeed.
fn started() -> Admin {
    const NAMES: [&str; 3] = ["exit-code", "trap", "treats"];

    let functions: Vec<_> = NAMES.iter().flat_map(|name| Guest::named(name).unwrap().functions).collect();
    let named = functions.iter().filter(|function| NAMES.contains(&function.name.as_str()));
    Admin::with(Nebula::built(), Project::new(named), "127.0.0.1:0")
}

/// The names of the functions of an answer of `/invocations`.
fn functions(answer: &Value) -> Vec<&str> {
    answer["invocations"].as_array().unwrap().iter().map(|shown| shown["function"].as_str().unwrap()).collect()
}

#[test]
fn the_last_invocations_have_reports_and_logs_and_only_those_of_the_token_are_shown() {
    let admin = started();
    for path in ["/api/treats/10", "/api/trap", "/api/exit-code/0", "/api/missing"] {
        admin.server.get(path);
    }
    let root = admin.root();
    let all = eventually("all reports", || {
        Some(admin.json(&root, "GET /invocations")).filter(|answer| functions(answer).len() == 4)
    });
    assert_eq!(functions(&all), ["missing", "exit-code", "trap", "treats"]);
    let [missing, exit_code, trap, treats] = [0, 1, 2, 3].map(|index| &all["invocations"][index]);
    assert_eq!((&missing["outcome"], &missing["version"]), (&json!("not_found"), &Value::Null));
    assert_eq!((&treats["outcome"], &treats["version"], treats.get("log")), (&json!("ok"), &json!(1), None));
    assert_eq!((&trap["outcome"], trap["stack"].is_array()), (&json!("guest_fault"), true));
    assert_eq!(exit_code["log"], json!([{"level": "info", "message": "exiting with 0"}]));

    let after = format!("GET /invocations?after={}", all["last"]);
    assert_eq!(admin.json(&root, &after), json!({"invocations": [], "last": all["last"]}));
    let one = admin.json(&root, "GET /invocations?function=treats&limit=1");
    assert_eq!(functions(&one), ["treats"]);
    let failed = admin.json(&root, "GET /invocations?failed=true");
    assert_eq!(functions(&failed), ["missing", "trap"]);

    let some = admin.token("some", &["--rights", "read", "--functions", "treats,none-*"]);
    assert_eq!(functions(&admin.json(&some, "GET /invocations")), ["treats"]);
    let refused = [("?function=trap", 403), ("?limit=0", 400), ("?limit=1001", 400), ("?nonsense=1", 400)];
    for (query, status) in refused {
        let response = admin.send(&some, &format!("GET /invocations{query}"), &[], "");
        assert_eq!(response.status, status, "{query}: {response:?}");
    }
    let publisher = admin.token("publisher", &["--rights", "publish"]);
    assert_eq!(admin.send(&publisher, "GET /invocations", &[], "").status, 403);
}

/// Gives the page a token, as a person does.
fn sign_in(browser: &mut Browser, token: &str) {
    browser.run("document.getElementById('token').focus()");
    browser.run(&format!("document.getElementById('token').value = '{token}'"));
    browser.run("document.getElementById('session').requestSubmit()");
}

#[test]
fn the_console_asks_for_a_token_and_shows_an_invocation_with_its_log() {
    let Some(mut browser) = Browser::start() else { return };
    let admin = started();
    let token = admin.token("reader", &["--rights", "read"]);
    browser.open(&format!("http://{}/", admin.address));
    sign_in(&mut browser, "nebula_wrong");
    let told = "document.getElementById('note').textContent.includes('the token is not known here')";
    browser.wait_for(told);
    assert_eq!(browser.run("[sessionStorage.length, document.getElementById('shown').hidden]"), json!([0, true]));

    sign_in(&mut browser, &token);
    browser.wait_for("!document.getElementById('shown').hidden");
    let names = "[...document.querySelectorAll('#functions tbody th')].map((name) => name.textContent).join()";
    assert_eq!(browser.run(names), "exit-code,trap,treats");
    admin.server.get("/api/exit-code/0");
    admin.server.get("/api/trap");
    browser.wait_for("document.querySelectorAll('#invocations .invocation').length === 2");
    browser.run("document.querySelectorAll('#invocations .invocation button')[1].click()");
    assert_eq!(browser.run("document.querySelector('.details .log li').textContent"), "info exiting with 0");

    browser.run("document.getElementById('failed').click()");
    browser.wait_for("document.querySelectorAll('#invocations .invocation').length === 1");
    browser.resize(360, 740);
    assert_eq!(browser.run("document.documentElement.scrollWidth"), 360);
    browser.run("document.getElementById('leave').click()");
    browser.wait_for("sessionStorage.length === 0 && !document.getElementById('session').hidden");
    assert_eq!(browser.complaints(), [""; 0]);
}
