//! More connections than a process may have file descriptors.

use nebula_integration_tests::Nebula;

use crate::faults::support::{Client, Server, guest, project};

/// The limit of file descriptors. The process needs a few of them for itself.
const DESCRIPTORS: u32 = 64;

#[test]
fn connections_without_a_descriptor_wait_and_the_others_are_served() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let server = Server::start_with_descriptors(&project, DESCRIPTORS);
    let mut clients: Vec<_> = (0..2 * DESCRIPTORS).map(|_| server.connect_and_get("/api/treats/10")).collect();
    // The server accepts connections in the order in which they were made.
    let mut waiting = clients.split_off(DESCRIPTORS as usize / 2);
    let mut served = clients;
    served.iter_mut().for_each(expect_treats);
    for client in &mut served {
        client.get("/api/treats/10");
        expect_treats(client);
    }
    assert!(waiting.iter().all(Client::is_silent), "the server answers more connections than it has descriptors");
    while !waiting.is_empty() {
        drop(served);
        served = waiting.drain(..waiting.len().min(DESCRIPTORS as usize / 2)).collect();
        served.iter_mut().for_each(expect_treats);
    }
}

#[test]
fn a_server_with_many_connections_can_still_read_its_store() {
    let project = project("[functions.treats]\nsource = \"@treats\"");
    let server = Server::start_with_descriptors(&project, DESCRIPTORS);
    let mut clients: Vec<_> = (0..DESCRIPTORS / 2).map(|_| server.connect_and_get("/api/treats/10")).collect();
    clients.iter_mut().for_each(expect_treats);
    let _ = Nebula::built().publish(&project, "add", &guest("add"), &[]).expect_success();
    for client in &mut clients {
        client.get("/api/add/1/2");
        assert_eq!(client.response().unwrap().summary(), (200, "3".to_owned()));
    }
}

fn expect_treats(client: &mut Client) {
    assert_eq!(client.response().unwrap().summary(), (200, "10".to_owned()));
}
