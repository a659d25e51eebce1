//! The services of the nodes on which cases run.

use std::{env, path::Path};

use nebula_store_servers::{KeyValueServer, S3Server};
use serde_json::json;

/// The environment variables of a node with services for the cases, and with a variable that settings refer to.
pub(crate) const NODE: [(&str, &str); 2] = [
    ("NEBULA_SERVICES", r#"{"state":{"keyvalue":"memory:"},"pictures":{"blobs":"memory:"}}"#),
    ("TEST_TOKEN", "a token"),
];

/// What stands behind the services of all nodes: the memory of each, unless `NEBULA_TEST_BACKEND` names another backend.
pub(crate) enum Backend {
    Memory,
    Files,
    Redis(KeyValueServer),
    Nats(KeyValueServer),
    S3(S3Server),
}

impl Backend {
    /// Starts the server that the backend needs.
    pub(crate) fn start() -> Self {
        match env::var("NEBULA_TEST_BACKEND").as_deref() {
            Err(_) => Self::Memory,
            Ok("files") => Self::Files,
            Ok("redis") => Self::Redis(KeyValueServer::redis(&[]).unwrap()),
            Ok("nats") => Self::Nats(KeyValueServer::nats(&[]).unwrap()),
            Ok("s3") => Self::S3(S3Server::start("bucket").unwrap()),
            Ok(other) => panic!("there is no backend {other}"),
        }
    }

    /// The environment variables of a node that may write to `folder`. Nodes of different names share nothing.
    pub(crate) fn node(&self, name: &str, folder: &Path) -> Vec<(&'static str, String)> {
        let [(services, in_memory), token] = NODE.map(|(name, value)| (name, value.to_owned()));
        let folder = folder.join("services").join(name);
        let folder = folder.to_str().unwrap();
        let mut variables = vec![token];
        let configured = match self {
            Self::Memory => in_memory,
            Self::Files => {
                std::fs::create_dir_all(folder).unwrap();
                both(&format!("redb:{folder}/state.redb"), &format!("folder:{folder}/pictures"))
            }
            Self::Redis(server) => both(&format!("redis://{}?prefix={name}%2F", server.address()), "memory:"),
            Self::Nats(server) => both(&format!("nats://{}/{name}", server.address()), "memory:"),
            Self::S3(server) => {
                variables.extend(server.variables());
                both(&format!("s3://bucket/state/{name}"), &format!("s3://bucket/pictures/{name}"))
            }
        };
        variables.push((services, configured));
        variables
    }
}

/// The services by the URLs of both.
fn both(keyvalue: &str, blobs: &str) -> String {
    json!({ "state": { "keyvalue": keyvalue }, "pictures": { "blobs": blobs } }).to_string()
}
