//! Functions and clients that are called too often.

use nebula_integration_tests::Nebula;

use crate::faults::support::{Response, Server, guest, project};

const CONFIGURATION: &str = "
[functions.treats]
source = \"@treats\"
rate = \"2/h\"
cors = { origins = [\"https://shop.test\"] }
[functions.add]
source = \"@add\"
";

fn assert_refused(response: &Response, detail: &str) {
    assert_eq!(response.failure(), (429, "overloaded".to_owned()));
    let body = String::from_utf8_lossy(&response.body);
    assert!(body.contains(detail), "{body}");
    let wait: u64 = response.headers["retry-after"].parse().unwrap();
    assert!((1..=3_600).contains(&wait), "{wait}");
}

#[test]
fn a_function_is_called_no_more_often_than_its_rate_and_other_functions_are_served() {
    let project = project(CONFIGURATION);
    let server = Server::start(&project);
    for _ in 0..2 {
        assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()));
    }
    let mut page = server.connect();
    page.send("GET /api/treats/10 HTTP/1.1\r\nhost: test\r\norigin: https://shop.test\r\n\r\n");
    let refused = page.response().unwrap();
    assert_refused(&refused, "function treats is at its rate limit of 2/h; try again later");
    assert_eq!(refused.headers["access-control-allow-origin"], "https://shop.test", "the page sees why");
    assert_eq!(server.get("/api/add/5/115").summary(), (200, "120".to_owned()));
}

#[test]
fn an_event_beyond_the_rate_fails_on_its_line() {
    let project = project(CONFIGURATION);
    let nebula = Nebula::built();
    let file = guest("treats");
    let published =
        nebula.run(&project, &["publish", "treats", file.to_str().unwrap(), "--config", "nebula.toml"], b"");
    assert_eq!(published.exit_code, 0, "{published:#?}");
    let output = nebula.run(&project, &["run", "treats", "--jobs", "1"], b"1\n2\n3\n");
    let detail = "function treats is at its rate limit of 2/h; try again later";
    let error = format!("{{\"error\":{{\"kind\":\"overloaded\",\"detail\":\"{detail}\"}}}}\n");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.exit_code, printed), (75, format!("1\n2\n{error}")));
}

#[test]
fn a_client_sends_no_more_requests_to_functions_than_its_rate() {
    let project =
        project(&format!("[server]\nclient_rate = \"2/h\"\ntrusted_proxies = [\"127.0.0.1\"]\n{CONFIGURATION}"));
    let server = Server::start(&project);
    let call_for = |client: &str| {
        let mut proxy = server.connect();
        proxy.send(format!("GET /api/add/5/115 HTTP/1.1\r\nhost: test\r\nx-forwarded-for: {client}\r\n\r\n"));
        proxy.response().unwrap()
    };
    for client in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        assert_eq!(call_for(client).summary(), (200, "120".to_owned()), "{client}");
    }
    assert_refused(&call_for("192.0.2.1"), "the client 192.0.2.1 is at its rate limit of 2/h; try again later");
    assert_eq!(server.get("/healthz").status, 200, "the limit is for calls of functions");
}
