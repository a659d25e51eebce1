//! The memory that a server keeps.

use crate::faults::support::{Client, Response, Server, eventually, project};

const SPINNERS: u64 = 8;

#[test]
fn the_memory_of_stopped_guests_is_returned_to_the_system() {
    const EACH: u64 = 32 << 20;
    const HOG: &str = "(module (memory 512) (func (export \"hog\")
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x2000000)) (loop $again (br $again))))";

    let project = project("[functions.hog]\nsource = \"hog.wat\"\ntimeout = \"10m\"");
    project.write("hog.wat", HOG);
    let server = Server::start(&project);
    assert_eq!(server.in_flight(), 0);
    let before = server.resident_memory();
    let spinners: Vec<_> = (0..SPINNERS).map(|_| server.connect_and_get("/api/hog")).collect();
    let has_grown = || Some(()).filter(|()| server.resident_memory() > before + (SPINNERS - 1) * EACH);
    eventually("guests that use their memory", has_grown);
    drop(spinners);
    server.wait_for_in_flight(0);
    let has_shrunk = || Some(()).filter(|()| server.resident_memory() < before + EACH);
    eventually("memory that is returned", has_shrunk);
}

/// A caller can invent any number of names.
#[test]
fn calls_of_unknown_functions_do_not_grow_the_server() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let server = Server::start(&project);
    // The server needs memory for the first connection and the first failure.
    call_unknown(&mut server.connect(), "warm", 1_000);
    let before = usage(&server);
    call_unknown(&mut server.connect(), "unknown", 10_000);
    let after = usage(&server);
    assert_eq!(after.series, before.series);
    assert!(after.memory < before.memory + (8 << 20), "{} bytes, and {} before", after.memory, before.memory);
}

/// What a server holds in memory.
struct Usage {
    series: usize,
    memory: u64,
}

fn usage(server: &Server) -> Usage {
    let (_, metrics) = server.get("/metrics").summary();
    Usage { series: metrics.lines().count(), memory: server.resident_memory() }
}

fn call_unknown(client: &mut Client, name: &str, count: u32) {
    const PIPELINED: u32 = 50;
    for from in (0..count).step_by(PIPELINED as usize) {
        let request = |number| format!("GET /api/{name}-{number}/{number} HTTP/1.1\r\nhost: test\r\n\r\n");
        client.send((from..from + PIPELINED).map(request).collect::<String>());
        let responses: Vec<Response> = (0..PIPELINED).map(|_| client.response().unwrap()).collect();
        assert!(responses.iter().all(|response| response.failure() == (404, "not_found".to_owned())), "{responses:?}");
    }
}
