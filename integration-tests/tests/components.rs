//! Components in a server: where they are mounted, what they may reach, what they share, what they are made of.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    ops::Deref,
    thread,
};

use http::Request;
use nebula_integration_tests::{Answered, Guest, Nebula, Project, Server};
use serde_json::Value;

/// A server and the folder of its store.
struct Served {
    server: Server,
    _project: Project,
}

impl Deref for Served {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// A server of some guests, each with keys of its own in `nebula.toml`, and of what stands behind them there.
fn serve(guests: &[(&str, &str)], rest: &str) -> Served {
    let mut config = String::new();
    for (name, keys) in guests {
        let source = Guest::named(name).unwrap().path;
        writeln!(config, "[functions.{name}]\nsource = {source:?}\n{keys}").unwrap();
    }
    let project = Project::new([]);
    project.write("nebula.toml", config + rest);
    let server = Server::start(&Nebula::built(), &project, &[]).unwrap();
    Served { server, _project: project }
}

fn problem(answered: &Answered) -> (u16, Value) {
    let problem: Value = serde_json::from_str(&answered.text()).unwrap();
    (answered.status, problem.get("kind").unwrap().clone())
}

#[test]
fn a_function_answers_at_a_path_and_a_host_of_its_own_and_sees_only_what_is_below() {
    let routes = "[[routes]]\npath = \"/shop\"\nfunction = \"http-request\"\n\
                  [[routes]]\nhost = \"hello.test\"\npath = \"/\"\nfunction = \"http-hello\"\n";
    let server = serve(&[("http-request", ""), ("http-hello", "")], routes);
    let seen: Value = serde_json::from_str(&server.get("/shop/a%2Fb?c=d").text()).unwrap();
    assert_eq!(seen.get("path_with_query").unwrap(), "/a%2Fb?c=d");
    let headers = seen.get("headers").unwrap().to_string();
    for header in [r#"["x-forwarded-prefix","/shop"]"#, r#"["x-forwarded-for","127.0.0.1"]"#] {
        assert!(headers.contains(header), "{headers}");
    }
    let elsewhere = Request::get("/healthz").header("host", "hello.test");
    assert_eq!(server.send(elsewhere.body(()).unwrap()).text(), "Hello");
    assert_eq!(server.get("/healthz").text(), "ok");
    assert_eq!(server.get("/shopping").status, 404);
}

#[test]
fn a_functions_own_requests_go_where_they_are_allowed_and_a_refusal_says_which_line_to_add() {
    let target = serve(&[("http-hello", "")], "");
    let url = |host: &str| format!("http://{host}/api/http-hello");
    // Allowed as any host is, and not as the address that it has.
    let behind = serve(&[("http-hello", "")], "");
    let other = behind.address();
    let allowed = format!("allow_hosts = [\"{}\", \"*:{}\"]", target.address(), other.rsplit_once(':').unwrap().1);
    let server = serve(&[("http-fetch", &allowed)], "");
    let fetch = |url: &str| server.get(&format!("/api/http-fetch?url={url}")).text();
    assert_eq!(fetch(&url(target.address())), "Hello");
    let refused = ["http://elsewhere.test/", "http://localhost/", &url("[::1]:1"), "http://169.254.169.254/"];
    for url in refused {
        assert_eq!(fetch(url), "ErrorCode::HttpRequestDenied", "{url}");
    }
    server.wait_for_log("add \"elsewhere.test\" to allow_hosts of [functions.http-fetch]");
    assert_eq!(fetch(&url(other)), "ErrorCode::DestinationIpProhibited");
    server.wait_for_log(&format!("add \"{other}\" to allow_hosts"));
}

/// A server that takes connections, sends each of them this, and then nothing.
fn silent(beginning: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut connections = Vec::new();
        for mut connection in listener.incoming().map_while(Result::ok) {
            // A client that has left by now is no failure here. One that asks is answered then, and not before.
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(beginning.as_bytes());
            connections.push(connection);
        }
    });
    address
}

/// A server that answers each request with its head.
fn telling() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", head.len());
            connection.write_all(&[answer.into_bytes(), head].concat()).unwrap();
        }
    });
    address
}

#[test]
fn a_functions_own_request_carries_the_trace_of_its_invocation_also_in_an_instance_that_is_used_again() {
    let peer = telling();
    let allowed = format!("allow_hosts = [\"{peer}\"]");
    let reused = format!("{allowed}\nreuse = {{}}");
    let server = serve(&[("http-fetch", &allowed), ("http3-fetch", &reused)], "");
    for guest in ["http-fetch", "http3-fetch"] {
        for trace in ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-1-2-00"] {
            let request = Request::get(format!("/api/{guest}?url=http://{peer}/"));
            let request = request.header("traceparent", trace).header("tracestate", "vendor=1");
            let told = server.send(request.body(Vec::new()).unwrap()).text();
            for line in [format!("traceparent: {trace}\r\n"), "tracestate: vendor=1\r\n".to_owned()] {
                assert!(told.contains(&line), "{guest}: {told}");
            }
        }
        let told = server.get(&format!("/api/{guest}?url=http://{peer}/")).text();
        assert!(told.starts_with("GET / ") && !told.contains("traceparent"), "{guest}: {told}");
    }
}

#[test]
fn a_functions_own_request_tells_its_host_and_no_user_and_is_for_the_root_without_a_path() {
    let peer = telling();
    let allowed = format!("allow_hosts = [\"{peer}\"]");
    let server = serve(&[("http-fetch", &allowed), ("http3-fetch", &allowed)], "");
    let cases = [
        (format!("http://{peer}/a?b=c"), "/a?b=c"),
        (format!("http://{peer}"), "/"),
        (format!("http://{peer}?b=c"), "/?b=c"),
        (format!("http://user:pw@{peer}/a"), "/a"),
        (format!("http://user@{peer}"), "/"),
        (format!("http://:@{peer}/"), "/"),
    ];
    for ((url, path), guest) in cases.iter().flat_map(|case| [(case, "http-fetch"), (case, "http3-fetch")]) {
        let head = server.get(&format!("/api/{guest}?url={url}")).text();
        assert_eq!(head, format!("GET {path} HTTP/1.1\r\nhost: {peer}\r\n\r\n"), "{guest} {url}");
    }
}

#[test]
fn a_streamed_response_is_limited_only_where_somebody_says_so() {
    let limit = |file: &str, size| format!("[{file}]\nmax_response = \"{size}\"\n");
    // Two thousand events are 22,893 bytes.
    let cases = [
        ("", limit("limits", "1KiB"), true),
        ("", limit("limits", "1KiB") + &limit("ceilings", "23KiB"), true),
        ("", limit("limits", "1KiB") + &limit("ceilings", "22KiB"), false),
        ("max_response = \"22KiB\"", limit("limits", "1MiB"), false),
        ("max_response = \"23KiB\"", limit("limits", "1KiB"), true),
        ("max_response = \"23KiB\"", limit("ceilings", "22KiB"), false),
    ];
    for (own, file, is_whole) in cases {
        let server = serve(&[("http-events", own)], &file);
        let events = server.get("/api/http-events?count=2000&ms=0");
        assert_eq!((events.status, events.body.len() == 22_893), (200, is_whole), "{own} {file} {}", events.body.len());
        assert_eq!(events.broken_off, !is_whole, "{own} {file}");
    }
}

#[test]
fn a_streamed_response_may_be_larger_than_any_other_by_default() {
    let server = serve(&[("http-echo", "max_request = \"10MiB\"")], "");
    let echoed = server.send(Request::post("/api/http-echo").body(vec![b'x'; 7 << 20]).unwrap());
    assert_eq!((echoed.status, echoed.body.len(), echoed.broken_off), (200, 7 << 20, false));
}

#[test]
fn a_timeout_may_be_longer_than_any_clock_can_tell() {
    // As many seconds as there are.
    let longest = "timeout = \"18446744073709551615s\"";
    let reused = format!("{longest}\nreuse = {{ max_concurrent = 1 }}");
    let guests = [("http-events", longest), ("sleep", longest), ("http3-hello", &reused), ("treats", longest)];
    let server = serve(&guests, &format!("[ceilings]\n{longest}"));
    assert_eq!(server.get("/api/http-events?count=2&ms=1").text(), "data: 1\n\ndata: 2\n\n");
    assert_eq!(server.get("/api/sleep/1").status, 200);
    assert_eq!(server.get("/api/http3-hello").text(), "Hello");
    assert_eq!(server.get("/api/treats/10").text(), "10");
}

#[test]
fn each_timeout_of_a_functions_own_request_counts_by_itself() {
    let (mute, begins) = (silent(""), silent("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    let allowed = format!("allow_hosts = [\"{mute}\", \"{begins}\"]");
    let server = serve(&[("http-fetch", &allowed), ("http3-fetch", &allowed)], "");
    // A connection of TLS is there when both have agreed, and this server never does.
    let cases = [
        (format!("https://{mute}/&connect=20"), "ErrorCode::ConnectionTimeout"),
        (format!("https://{mute}/&connect=20&first-byte=600000"), "ErrorCode::ConnectionTimeout"),
        (format!("http://{mute}/&first-byte=20"), "ErrorCode::ConnectionReadTimeout"),
        (format!("http://{mute}/&first-byte=20&connect=600000"), "ErrorCode::ConnectionReadTimeout"),
        (format!("http://{mute}/&first-byte=20&between-bytes=600000"), "ErrorCode::ConnectionReadTimeout"),
        // The largest numbers that a guest can say, whose sum no clock can tell.
        (format!("http://{mute}/&first-byte=20&connect=18446744073709"), "ErrorCode::ConnectionReadTimeout"),
    ];
    for guest in ["http-fetch", "http3-fetch"] {
        let fetch = |url: &str| server.get(&format!("/api/{guest}?url={url}"));
        for (url, expected) in &cases {
            let failed = fetch(url);
            assert_eq!((failed.status, failed.text().as_str()), (502, *expected), "{guest} {url}");
        }
        let cut = fetch(&format!("http://{begins}/&between-bytes=20&first-byte=600000"));
        assert!(cut.broken_off && cut.text() == "half", "{guest}: {cut:?}");
    }
}

#[test]
fn an_instance_is_used_again_where_that_is_asked_for_and_only_as_often() {
    let reuse = "reuse = { max_requests = 3, idle = \"500000000000y\" }";
    let server = serve(&[("http3-trap", reuse)], "");
    let counts: Vec<_> = (0..7).map(|_| count(&server)).collect();
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1"]);
    for never in ["", "reuse = { idle = \"1ns\" }"] {
        let server = serve(&[("http3-trap", never)], "");
        let counts: Vec<_> = (0..3).map(|_| count(&server)).collect();
        assert_eq!(counts, ["1", "1", "1"]);
    }
}

#[test]
fn an_instance_that_failed_or_whose_client_left_serves_nobody_else() {
    let server = serve(&[("http3-trap", "reuse = { idle = \"1m\" }\ntimeout = \"1s\"")], "");
    for (path, kind) in [("trap", "guest_fault"), ("spin", "timeout")] {
        assert_eq!(count(&server), "1");
        assert_eq!(problem(&server.get(&format!("/api/http3-trap/{path}"))).1, kind);
    }
    assert_eq!(count(&server), "1");
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"GET /api/http3-trap/slow?ms=60000 HTTP/1.1\r\nhost: nebula\r\n\r\n").unwrap();
    wait_for_one_in_flight(&server);
    // That one is taken.
    assert_eq!(count(&server), "1");
    drop(client);
    while !server.get("/metrics").text().contains("nebula_in_flight 0\n") {
        thread::yield_now();
    }
    assert_eq!(count(&server), "2");
}

/// How many requests the instance has had that answers.
fn count(server: &Server) -> String {
    server.get("/api/http3-trap/count").text()
}

fn wait_for_one_in_flight(server: &Server) {
    while !server.get("/metrics").text().contains("nebula_in_flight 1\n") {
        thread::yield_now();
    }
}

#[test]
fn an_instance_that_is_used_again_answers_as_it_goes() {
    let server = serve(&[("http3-echo", "reuse = {}")], "");
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"POST /api/http3-echo HTTP/1.1\r\nhost: nebula\r\ncontent-length: 12\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // Each piece is sent when the one before has come back.
    for piece in ["first,", "second"] {
        client.write_all(piece.as_bytes()).unwrap();
        while !String::from_utf8_lossy(&answer).contains(piece) {
            let mut more = [0; 1024];
            let read = client.read(&mut more).unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
            answer.extend(more.get(..read).unwrap());
        }
    }
}

#[test]
fn a_component_is_linked_to_the_function_that_it_imports() {
    let imports = "imports = { \"nebula:tax/rates\" = \"tax\" }";
    let server = serve(&[("checkout", imports), ("tax", "")], "");
    assert_eq!(server.get("/api/checkout/100/de").text(), "119");
    let refused = server.get("/api/checkout/100/nowhere");
    assert_eq!(problem(&refused), (422, Value::from("guest_error")));
}

#[test]
fn what_cannot_be_linked_is_refused_with_what_there_is() {
    let cases = [
        ("nebula:tax/rate", "tax", "the component has no such import; it imports nebula:tax/rates"),
        ("nebula:tax/rates", "http-hello", "it has no such export; it exports wasi:http/incoming-handler@0.2"),
        ("nebula:tax/rates", "nobody", "there is no function nobody"),
    ];
    for (import, function, expected) in cases {
        let project = Project::new([]);
        let source = |name| Guest::named(name).unwrap().path;
        let config = format!(
            "[functions.checkout]\nsource = {:?}\nimports = {{ \"{import}\" = \"{function}\" }}\n\
             [functions.tax]\nsource = {:?}\n[functions.http-hello]\nsource = {:?}\n",
            source("checkout"),
            source("tax"),
            source("http-hello")
        );
        project.write("nebula.toml", config);
        let ended = Server::start(&Nebula::built(), &project, &[]).map(|_| ()).unwrap_err();
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}
