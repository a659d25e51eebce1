//! Where a server listens: Unix sockets, sockets that systemd has opened, and proxies that say whose connection it is.

use std::{
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixStream},
    },
    process::Command,
};

use nebula_integration_tests::{Guest, Nebula, Project};
use serde_json::Value;

use crate::faults::support::{Client, PATIENCE, Server, eventually, project};

/// A project with a handler that describes the request that it sees.
fn describing(server: &str) -> Project {
    let source = Guest::named("http-request").unwrap().path;
    project(&format!("[server]\n{server}\n[functions.seen]\nsource = {source:?}"))
}

/// A server with these arguments.
fn serve(project: &Project, arguments: &[&str]) -> Server {
    Server::spawn(Nebula::built().command(project, [&["serve"], arguments].concat()))
}

/// Sends a GET through a Unix socket, and returns the whole answer.
fn get(project: &Project, path: &str, fields: &str) -> String {
    let mut stream = UnixStream::connect(project.join("nebula.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{fields}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The fields that say where a request came from, as the function sees them.
fn forwarded(answer: &str) -> Vec<String> {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let request: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let fields = request["headers"].as_array().unwrap().iter();
    let fields = fields.filter(|field| field[0] != "x-forwarded-prefix" && field[0] != "connection");
    fields.map(|field| format!("{}: {}", field[0].as_str().unwrap(), field[1].as_str().unwrap())).collect()
}

const LISTEN: [&str; 2] = ["--listen", "unix:nebula.sock"];

#[test]
fn a_unix_socket_is_there_while_its_server_runs_and_is_replaced_if_a_server_has_left_it() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let socket = project.join("nebula.sock");
    let killed = serve(&project, &LISTEN);
    assert!(get(&project, "/api/treats/10", "").ends_with("\r\n\r\n10"));
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    let second = Nebula::built().run(&project, &[&["serve"], &LISTEN[..]].concat(), b"");
    let expected = "unix:nebula.sock is in use: stop what listens there, or choose another path";
    assert!(second.exit_code == 69 && second.stderr.contains(expected), "{second:?}");
    drop(killed);
    assert!(socket.exists(), "a server that is killed leaves its socket");
    let mut server = serve(&project, &LISTEN);
    assert!(get(&project, "/api/treats/10", "").ends_with("\r\n\r\n10"));
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
    assert!(!socket.exists());
}

#[test]
fn what_a_process_says_about_its_clients_is_believed_only_if_unix_is_trusted() {
    let fields = "x-forwarded-for: 192.0.2.1\r\n";
    for (proxies, expected) in
        [("[]", &[][..]), ("[\"127.0.0.1\"]", &[]), ("[\"unix\"]", &["x-forwarded-for: 192.0.2.1"])]
    {
        let project = describing(&format!("trusted_proxies = {proxies}"));
        let _server = serve(&project, &LISTEN);
        assert_eq!(forwarded(&get(&project, "/api/seen", fields)), expected, "{proxies}");
    }
}

/// The part of systemd that matters here: it opens a socket, and starts the program at each connection that finds none
/// running.
const ACTIVATOR: &str = r#"
import os, select, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print("listening on http://127.0.0.1:%d" % listener.getsockname()[1], file=sys.stderr, flush=True)
while True:
    select.select([listener], [], [])
    child = os.fork()
    if child == 0:
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
        os.execv(sys.argv[1], sys.argv[1:])
    _, status = os.waitpid(child, 0)
    print("the server has ended: %d" % status, file=sys.stderr, flush=True)
"#;

fn notification(socket: &UnixDatagram) -> String {
    let mut state = [0; 100];
    let length = socket.recv(&mut state).unwrap();
    String::from_utf8_lossy(&state[..length]).into_owned()
}

#[test]
fn a_server_ends_when_it_is_idle_and_is_started_again_by_the_next_connection() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let notified = UnixDatagram::bind(project.join("notify")).unwrap();
    notified.set_read_timeout(Some(PATIENCE)).unwrap();
    let nebula = Nebula::built();
    let served = nebula.command(&project, ["serve", "--exit-idle", "100ms"]);
    let mut activator = Command::new("python3");
    activator.args(["-c", ACTIVATOR]).arg(served.get_program()).args(served.get_args()).current_dir(project.path());
    activator.envs(served.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let activator = Server::spawn(with_notify_socket(activator, &project));
    for ended in 1..=3 {
        assert_eq!(activator.get("/api/treats/10").summary(), (200, "10".to_owned()));
        assert_eq!([notification(&notified), notification(&notified)], ["READY=1", "STOPPING=1"]);
        let line = "the server has ended: 0";
        eventually(line, || (activator.log().matches(line).count() == ended).then_some(()));
    }
    assert!(activator.log().contains("draining: there was no connection for the time of --exit-idle"));
}

fn with_notify_socket(mut command: Command, project: &Project) -> Command {
    command.env("NOTIFY_SOCKET", project.join("notify"));
    command
}

/// Sends bytes and then a GET, and returns the whole answer.
fn get_after(server: &Server, bytes: &[u8], fields: &str) -> String {
    let mut client: Client = server.connect();
    let request = format!("GET /api/seen HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{fields}\r\n");
    client.send([bytes, request.as_bytes()].concat());
    String::from_utf8(client.read_to_end()).unwrap()
}

/// A header of version 2: of a command, a family, and addresses.
fn version_2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x20 | command, family], &length[..], addresses].concat()
}

#[test]
fn a_trusted_proxy_says_whose_connection_it_passes_on() {
    let project = describing("trusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true");
    let server = Server::start(&project);
    let v4 = [192, 0, 2, 7, 127, 0, 0, 1, 0x30, 0x39, 0, 80];
    let v6 = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[9], &[0; 16], &[0x30, 0x39, 0, 80]].concat();
    // Bytes after the addresses say more, such as the version of TLS.
    let more = [&v4[..], &[0x04, 0, 3, 0, 0, 0]].concat();
    let cases = [
        (b"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n".to_vec(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::9 ::1 12345 80\r\n".to_vec(), "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (version_2(1, 0x11, &v4), "192.0.2.7"),
        (version_2(1, 0x11, &more), "192.0.2.7"),
        (version_2(1, 0x21, &v6), "2001:db8::9"),
        // The proxy checks whether the server is there.
        (version_2(0, 0, &[]), "127.0.0.1"),
    ];
    for (header, client) in cases {
        let seen = forwarded(&get_after(&server, &header, ""));
        assert!(seen.contains(&format!("x-forwarded-for: {client}")), "{client}: {seen:?}");
    }
    let claimed = "x-forwarded-for: 198.51.100.1\r\n";
    let seen = forwarded(&get_after(&server, b"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n", claimed));
    assert!(seen.contains(&"x-forwarded-for: 192.0.2.7".to_owned()), "the client is no trusted proxy: {seen:?}");
    let wrong = [&b""[..], b"PROXY TCP4 a.test 127.0.0.1 1 80\r\n", b"PROXY TCP4 192.0.2.7 127.0.0.1 1 80\n"];
    let wrong = wrong.map(<[u8]>::to_vec).into_iter().chain([version_2(1, 0x11, &[0; 4]), version_2(3, 0x11, &v4)]);
    for header in wrong.chain([version_2(1, 0x11, &[0; 60_000])]) {
        assert_eq!(get_after(&server, &header, ""), "", "{header:?}");
    }
    let line = "it did not begin with a header of the PROXY protocol";
    eventually(line, || (server.log().matches(line).count() == 1).then_some(()));
}

#[test]
fn the_header_of_any_other_client_is_refused() {
    let project = describing("trusted_proxies = [\"10.0.0.0/8\"]\nproxy_protocol = true");
    let server = Server::start(&project);
    for header in [b"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n".to_vec(), version_2(1, 0x11, &[0; 12])] {
        let answer = get_after(&server, &header, "");
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    }
    assert!(forwarded(&get_after(&server, b"", "")).contains(&"x-forwarded-for: 127.0.0.1".to_owned()));
}
