//! What a server's memory does in the end.

use crate::support::{Answer, Client, Server, eventually, project};

const SPINNERS: u64 = 8;

#[test]
fn the_memory_of_stopped_guests_comes_back() {
    const EACH: u64 = 32 << 20;
    const HOG: &str = "(module (memory 512) (func (export \"hog\")
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x2000000)) (loop $again (br $again))))";

    let project = project("[functions.hog]\nsource = \"hog.wat\"\ntimeout = \"10m\"");
    project.write("hog.wat", HOG);
    let server = Server::start(&project);
    assert_eq!(server.in_flight(), 0);
    let before = server.resident_memory();
    let spinners: Vec<_> = (0..SPINNERS).map(|_| server.connect_and_get("/api/hog")).collect();
    let grown = || Some(()).filter(|()| server.resident_memory() > before + (SPINNERS - 1) * EACH);
    eventually("guests that use their memory", grown);
    drop(spinners);
    server.wait_for_in_flight(0);
    let back = || Some(()).filter(|()| server.resident_memory() < before + EACH);
    eventually("memory that is given back", back);
}

/// Names that callers make up cost nothing that stays.
#[test]
fn unknown_functions_leave_nothing_behind() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let server = Server::start(&project);
    // What one connection and one kind of failure need.
    ask_for_unknown(&mut server.connect(), "warm", 1_000);
    let before = sizes(&server);
    ask_for_unknown(&mut server.connect(), "unknown", 10_000);
    let after = sizes(&server);
    assert_eq!(after.series, before.series);
    assert!(after.memory < before.memory + (8 << 20), "{} bytes, and {} before", after.memory, before.memory);
}

/// How much a server keeps.
struct Sizes {
    series: usize,
    memory: u64,
}

fn sizes(server: &Server) -> Sizes {
    let (_, metrics) = server.get("/metrics").summary();
    Sizes { series: metrics.lines().count(), memory: server.resident_memory() }
}

fn ask_for_unknown(client: &mut Client, name: &str, count: u32) {
    const TOGETHER: u32 = 50;
    for from in (0..count).step_by(TOGETHER as usize) {
        let request = |number| format!("GET /api/{name}-{number}/{number} HTTP/1.1\r\nhost: test\r\n\r\n");
        client.send((from..from + TOGETHER).map(request).collect::<String>());
        let answers: Vec<Answer> = (0..TOGETHER).map(|_| client.answer().unwrap()).collect();
        assert!(answers.iter().all(|answer| answer.failure() == (404, "not_found".to_owned())), "{answers:?}");
    }
}
