//! More connections than a process may have files open.

use nebula_integration_tests::Nebula;

use crate::support::{Client, Server, guest, project};

/// A few are taken by what the process always has open.
const DESCRIPTORS: u32 = 64;

#[test]
fn connections_without_a_descriptor_wait_and_those_with_one_go_on() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let server = Server::start_with_descriptors(&project, DESCRIPTORS);
    let mut clients: Vec<_> = (0..2 * DESCRIPTORS).map(|_| server.connect_and_get("/api/treats/10")).collect();
    // Connections are accepted in the order in which they came.
    let mut waiting = clients.split_off(DESCRIPTORS as usize / 2);
    let mut served = clients;
    served.iter_mut().for_each(expect_treats);
    for client in &mut served {
        client.get("/api/treats/10");
        expect_treats(client);
    }
    assert!(waiting.iter().all(Client::is_silent), "there were more connections than descriptors");
    while !waiting.is_empty() {
        drop(served);
        served = waiting.drain(..waiting.len().min(DESCRIPTORS as usize / 2)).collect();
        served.iter_mut().for_each(expect_treats);
    }
}

#[test]
fn a_server_full_of_connections_can_still_read_its_store() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let server = Server::start_with_descriptors(&project, DESCRIPTORS);
    let mut clients: Vec<_> = (0..DESCRIPTORS / 2).map(|_| server.connect_and_get("/api/treats/10")).collect();
    clients.iter_mut().for_each(expect_treats);
    let _ = Nebula::built().publish(&project, "add", &guest("add"), &[]).successful();
    for client in &mut clients {
        client.get("/api/add/1/2");
        assert_eq!(client.answer().unwrap().summary(), (200, "3".to_owned()));
    }
}

fn expect_treats(client: &mut Client) {
    assert_eq!(client.answer().unwrap().summary(), (200, "10".to_owned()));
}
