//! Components in a server: routes, outgoing requests, timeouts, reused instances and composition.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    ops::Deref,
    thread,
};

use http::Request;
use nebula_integration_tests::{Guest, HttpResponse, Nebula, Project, Server};
use serde_json::Value;

/// A server and the project that it serves.
struct RunningServer {
    server: Server,
    _project: Project,
}

impl Deref for RunningServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Starts a server with some guests. Each has its own keys in `nebula.toml`; `rest` is the end of that file.
fn serve(guests: &[(&str, &str)], rest: &str) -> RunningServer {
    let mut config = String::new();
    for (name, keys) in guests {
        let source = Guest::named(name).unwrap().path;
        writeln!(config, "[functions.{name}]\nsource = {source:?}\n{keys}").unwrap();
    }
    let project = Project::new([]);
    project.write("nebula.toml", config + rest);
    let server = Server::start(&Nebula::built(), &project, &[]).unwrap();
    RunningServer { server, _project: project }
}

/// The status and the error kind of a problem document.
fn problem(response: &HttpResponse) -> (u16, Value) {
    let problem: Value = serde_json::from_str(&response.text()).unwrap();
    (response.status, problem.get("kind").unwrap().clone())
}

#[test]
fn a_function_with_a_route_sees_the_path_below_it() {
    let routes = "[[routes]]\npath = \"/shop\"\nfunction = \"http-request\"\n\
                  [[routes]]\nhost = \"hello.test\"\npath = \"/\"\nfunction = \"http-hello\"\n";
    let server = serve(&[("http-request", ""), ("http-hello", "")], routes);
    let request: Value = serde_json::from_str(&server.get("/shop/a%2Fb?c=d").text()).unwrap();
    assert_eq!(request.get("path_with_query").unwrap(), "/a%2Fb?c=d");
    let headers = request.get("headers").unwrap().to_string();
    for header in [r#"["x-forwarded-prefix","/shop"]"#, r#"["x-forwarded-for","127.0.0.1"]"#] {
        assert!(headers.contains(header), "{headers}");
    }
    let elsewhere = Request::get("/healthz").header("host", "hello.test");
    assert_eq!(server.send(elsewhere.body(()).unwrap()).text(), "Hello");
    assert_eq!(server.get("/healthz").text(), "ok");
    assert_eq!(server.get("/shopping").status, 404);
}

#[test]
fn outgoing_requests_reach_only_allowed_hosts_and_the_log_says_what_to_add() {
    let target = serve(&[("http-hello", "")], "");
    let url = |host: &str| format!("http://{host}/api/http-hello");
    // The pattern allows its port on every host name, but not its IP address.
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

/// Starts a server that sends `beginning` on each connection, and then nothing more.
fn start_silent_server(beginning: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut connections = Vec::new();
        for mut connection in listener.incoming().map_while(Result::ok) {
            // The server answers after it has received a request. An error means that the client has left.
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(beginning.as_bytes());
            connections.push(connection);
        }
    });
    address
}

/// Starts a server that answers each request with the request's own head.
fn start_head_echo() -> SocketAddr {
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
fn an_outgoing_request_carries_the_trace_of_its_invocation_in_fresh_and_reused_instances() {
    let peer = start_head_echo();
    let allowed = format!("allow_hosts = [\"{peer}\"]");
    let reused = format!("{allowed}\nreuse = {{}}");
    let server = serve(&[("http-fetch", &allowed), ("http3-fetch", &reused)], "");
    for guest in ["http-fetch", "http3-fetch"] {
        for trace in ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-1-2-00"] {
            let request = Request::get(format!("/api/{guest}?url=http://{peer}/"));
            let request = request.header("traceparent", trace).header("tracestate", "vendor=1");
            let head = server.send(request.body(Vec::new()).unwrap()).text();
            for line in [format!("traceparent: {trace}\r\n"), "tracestate: vendor=1\r\n".to_owned()] {
                assert!(head.contains(&line), "{guest}: {head}");
            }
        }
        let head = server.get(&format!("/api/{guest}?url=http://{peer}/")).text();
        assert!(head.starts_with("GET / ") && !head.contains("traceparent"), "{guest}: {head}");
    }
}

#[test]
fn an_outgoing_request_has_a_host_field_and_no_user_and_a_path() {
    let peer = start_head_echo();
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
fn a_streamed_response_is_limited_only_by_its_own_max_response_and_by_the_ceiling() {
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
fn a_streamed_response_may_exceed_the_default_limit_of_buffered_ones() {
    let server = serve(&[("http-echo", "max_request = \"10MiB\"")], "");
    let echoed = server.send(Request::post("/api/http-echo").body(vec![b'x'; 7 << 20]).unwrap());
    assert_eq!((echoed.status, echoed.body.len(), echoed.broken_off), (200, 7 << 20, false));
}

#[test]
fn a_timeout_may_be_longer_than_the_clock_can_represent() {
    // The largest number of seconds.
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
fn each_timeout_of_an_outgoing_request_works_without_the_others() {
    let (silent, partial) =
        (start_silent_server(""), start_silent_server("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    let allowed = format!("allow_hosts = [\"{silent}\", \"{partial}\"]");
    let server = serve(&[("http-fetch", &allowed), ("http3-fetch", &allowed)], "");
    // A TLS connection is established after a handshake. This server never answers one.
    let cases = [
        (format!("https://{silent}/&connect=20"), "ErrorCode::ConnectionTimeout"),
        (format!("https://{silent}/&connect=20&first-byte=600000"), "ErrorCode::ConnectionTimeout"),
        (format!("http://{silent}/&first-byte=20"), "ErrorCode::ConnectionReadTimeout"),
        (format!("http://{silent}/&first-byte=20&connect=600000"), "ErrorCode::ConnectionReadTimeout"),
        (format!("http://{silent}/&first-byte=20&between-bytes=600000"), "ErrorCode::ConnectionReadTimeout"),
        // The largest numbers that a guest can give. The clock cannot represent their sum.
        (format!("http://{silent}/&first-byte=20&connect=18446744073709"), "ErrorCode::ConnectionReadTimeout"),
    ];
    for guest in ["http-fetch", "http3-fetch"] {
        let fetch = |url: &str| server.get(&format!("/api/{guest}?url={url}"));
        for (url, expected) in &cases {
            let failed = fetch(url);
            assert_eq!((failed.status, failed.text().as_str()), (502, *expected), "{guest} {url}");
        }
        let cut = fetch(&format!("http://{partial}/&between-bytes=20&first-byte=600000"));
        assert!(cut.broken_off && cut.text() == "half", "{guest}: {cut:?}");
    }
}

#[test]
fn an_instance_is_reused_only_if_configured_and_at_most_max_requests_times() {
    let reuse = "reuse = { max_requests = 3, idle = \"500000000000y\" }";
    let server = serve(&[("http3-trap", reuse)], "");
    let counts: Vec<_> = (0..7).map(|_| count(&server)).collect();
    assert_eq!(counts, ["1", "2", "3", "1", "2", "3", "1"]);
    for never_reused in ["", "reuse = { idle = \"1ns\" }"] {
        let server = serve(&[("http3-trap", never_reused)], "");
        let counts: Vec<_> = (0..3).map(|_| count(&server)).collect();
        assert_eq!(counts, ["1", "1", "1"]);
    }
}

#[test]
fn an_instance_is_not_reused_after_a_failure_or_after_its_client_left() {
    let server = serve(&[("http3-trap", "reuse = { idle = \"1m\" }\ntimeout = \"1s\"")], "");
    for (path, kind) in [("trap", "guest_fault"), ("spin", "timeout")] {
        assert_eq!(count(&server), "1");
        assert_eq!(problem(&server.get(&format!("/api/http3-trap/{path}"))).1, kind);
    }
    assert_eq!(count(&server), "1");
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"GET /api/http3-trap/slow?ms=60000 HTTP/1.1\r\nhost: nebula\r\n\r\n").unwrap();
    wait_for_one_in_flight(&server);
    // The waiting instance is busy now, so this request gets a new one.
    assert_eq!(count(&server), "1");
    drop(client);
    while !server.get("/metrics").text().contains("nebula_in_flight 0\n") {
        thread::yield_now();
    }
    assert_eq!(count(&server), "2");
}

/// Calls the guest, which returns the number of requests that its instance has served.
fn count(server: &Server) -> String {
    server.get("/api/http3-trap/count").text()
}

fn wait_for_one_in_flight(server: &Server) {
    while !server.get("/metrics").text().contains("nebula_in_flight 1\n") {
        thread::yield_now();
    }
}

#[test]
fn a_reused_instance_streams_its_response() {
    let server = serve(&[("http3-echo", "reuse = {}")], "");
    let mut client = TcpStream::connect(server.address()).unwrap();
    client.write_all(b"POST /api/http3-echo HTTP/1.1\r\nhost: nebula\r\ncontent-length: 12\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // The client sends a piece when it has received the one before.
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
fn an_import_that_cannot_be_linked_is_refused_with_the_available_names() {
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
        let output = Server::start(&Nebula::built(), &project, &[]).map(|_| ()).unwrap_err();
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
}
