//! Invalid and hostile requests.

use nebula_integration_tests::Project;

use crate::faults::support::{Server, project};

/// The end of a valid head.
const END: &str = " HTTP/1.1\r\nhost: test\r\n\r\n";

/// The head of a request whose body comes in chunks.
const CHUNKED: &str = "POST /api/hello HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";

fn functions() -> Project {
    project("[functions.hello]\nsource = \"@hello\"\n[functions.treats]\nsource = \"@treats\"")
}

fn post(header: &str) -> String {
    format!("POST /api/hello HTTP/1.1\r\nhost: test\r\n{header}\r\n\r\nAda")
}

/// Sends bytes, and returns the status of the response. `None` if the connection ends without one.
fn status(server: &Server, request: impl AsRef<[u8]>) -> Option<u16> {
    let mut client = server.connect();
    client.send(request);
    client.response().ok().map(|response| response.status)
}

fn assert_statuses(server: &Server, cases: impl IntoIterator<Item = (Option<u16>, Vec<u8>)>) {
    for (expected, request) in cases {
        let excerpt = String::from_utf8_lossy(&request[..request.len().min(100)]).into_owned();
        assert_eq!(status(server, request), expected, "{excerpt:?}");
        assert_eq!(server.get("/api/treats/10").summary(), (200, "10".to_owned()), "after {excerpt:?}");
    }
}

#[test]
fn bytes_that_are_not_http_are_refused_and_do_not_affect_others() {
    let project = functions();
    let server = Server::start(&project);
    let large = "a".repeat(1 << 20);
    let cases = [
        (Some(400), b"\0\xff\x16\x03\x01\r\n\r\n".to_vec()),
        (Some(400), [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".as_slice(), &[0; 300]].concat()),
        (None, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nno frame at all, but enough bytes for one".to_vec()),
        (Some(400), b"PRI * HTTP/2.0\r\n\r\nno".to_vec()),
        (Some(400), b"GET /api/treats/10\r\n\r\n".to_vec()),
        (Some(400), b"GET /api/treats/10 HTTP/9.9\r\n\r\n".to_vec()),
        (Some(400), b"GET api/treats/10 HTTP/1.1\r\nhost: test\r\n\r\n".to_vec()),
        (Some(400), b"GET /api/treats/\0 HTTP/1.1\r\nhost: test\r\n\r\n".to_vec()),
        (Some(400), b"GET /api/treats/10 HTTP/1.1\r\nhost: test\r\nx: \0\r\n\r\n".to_vec()),
        (Some(400), b"GET /api/treats/10 HTTP/1.1\r\nhost: test\r\nno colon\r\n\r\n".to_vec()),
        (Some(400), b"GET /api/treats/10 HTTP/1.1\r\n folded: x\r\n\r\n".to_vec()),
        (Some(431), format!("GET /{large}{END}").into_bytes()),
        (Some(431), format!("GET / HTTP/1.1\r\nhost: test\r\nx: {large}\r\n\r\n").into_bytes()),
        (Some(431), format!("GET / HTTP/1.1\r\nhost: test\r\n{}\r\n", "x: y\r\n".repeat(1_000)).into_bytes()),
    ];
    assert_statuses(&server, cases);
}

#[test]
fn a_body_with_invalid_framing_is_refused_and_does_not_affect_others() {
    let project = functions();
    let server = Server::start(&project);
    let cases = [
        (Some(400), format!("{CHUNKED}zz\r\nAda\r\n0\r\n\r\n")),
        (Some(400), format!("{CHUNKED}ffffffffffffffffff\r\nAda\r\n0\r\n\r\n")),
        (Some(400), format!("{CHUNKED}3\r\nAdaXX\r\n0\r\n\r\n")),
        (Some(400), format!("{CHUNKED}-3\r\nAda\r\n0\r\n\r\n")),
        (Some(400), post("content-length: -1")),
        (Some(400), post("content-length: 99999999999999999999999")),
        (Some(400), post("content-length: 3\r\ncontent-length: 5")),
        (Some(400), post("transfer-encoding: gzip")),
        (Some(413), post("content-length: 9223372036854775807")),
        (
            Some(413),
            format!(
                "{}{}0\r\n\r\n",
                CHUNKED.replace("hello", "treats"),
                format!("100000\r\n{}\r\n", "a".repeat(1 << 20)).repeat(7)
            ),
        ),
    ];
    assert_statuses(&server, cases.map(|(status, request)| (status, request.into_bytes())));
}

#[test]
fn an_invalid_path_is_the_callers_error() {
    let project = functions();
    let server = Server::start(&project);
    let cases = [
        (400, "/api/treats/%"),
        (400, "/api/treats/%zz"),
        (400, "/api/treats/%00"),
        (400, "/api/treats/%ff%fe"),
        (400, "/api/treats/1%2F2"),
        (404, "/api/%"),
        (404, "/api/%00"),
        (400, "/api/%ff"),
        (404, "/api/.."),
        (404, "/api/../api/treats/10"),
        (404, "//api/treats/10"),
        (404, "/api/treats:::/10"),
        (404, "/api/treats@99999999999999999999/10"),
        (404, "/api/treats@latest@latest/10"),
        (200, "/api/treats/10?%zz&&=&%00"),
        (200, "http://elsewhere.example/api/treats/10"),
    ];
    assert_statuses(&server, cases.map(|(status, path)| (Some(status), format!("GET {path}{END}").into_bytes())));
}

#[test]
fn each_kind_of_function_takes_the_methods_that_it_can_use_and_server_pages_take_get() {
    let project = functions();
    let server = Server::start(&project);
    let request = |method, path| format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    // A core function does not see the method. A command does.
    let cases =
        [("OPTIONS", 204, 200), ("TRACE", 405, 405), ("PATCH", 405, 200), ("DELETE", 405, 200), ("BREW", 405, 200)];
    for (method, core, command) in cases {
        let statuses = ["/api/treats/10", "/api/hello", "/healthz"].map(|path| status(&server, request(method, path)));
        assert_eq!(statuses, [Some(core), Some(command), Some(405)], "{method}");
    }
    for path in ["/api/treats/10", "/healthz"] {
        let mut client = server.connect();
        client.send(request("HEAD", path));
        let response = client.read_to_end();
        assert!(response.starts_with(b"HTTP/1.1 200 OK\r\n") && response.ends_with(b"\r\n\r\n"), "HEAD {path}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let project = functions();
    let server = Server::start(&project);
    let mut client = server.connect();
    let requests = |n| {
        format!(
            "GET /api/treats/{n}{END}POST /api/hello HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\nAdaGET /{END}"
        )
    };
    client.send((0..30).map(requests).collect::<String>());
    for n in 0..30 {
        let responses = [(); 3].map(|()| client.response().unwrap());
        let [treats, hello] = [0, 1].map(|index: usize| responses[index].summary());
        assert_eq!((treats, hello), ((200, n.to_string()), (200, "Hello, Ada!\n".to_owned())));
        assert_eq!(responses[2].status, 200);
    }
}
