//! Amazon S3: moto.
//!
//! Its conditional writes look and then write without a lock, so it can itself lose an update. A proxy of our own is in front
//! of it: it lets one write through at a time, notes all requests, and breaks answers as a test says.

mod proxy;
mod state;

use std::{net::SocketAddr, sync::Arc};

use self::state::State;
pub use self::state::{Fault, Request};
use crate::process::{Process, python};

/// A server of S3. It ends when this is dropped.
pub struct S3Server {
    address: SocketAddr,
    state: Arc<State>,
    _moto: Process,
}

impl S3Server {
    /// Starts the server with a bucket of this name; `None` where moto is not installed. In CI it has to be.
    pub fn start(bucket: &str) -> Option<Self> {
        let moto = Process::start("S3", "ci/moto.sh", &mut python("s3.py", "moto"))?;
        let state = Arc::new(State::new());
        let address = proxy::start(moto.address(), Arc::clone(&state));
        let server = Self { address, state, _moto: moto };
        server.make(bucket);
        Some(server)
    }

    /// The address of the server, as `AWS_ENDPOINT_URL` takes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables that an SDK reaches the server with.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }

    /// From now on, this is what it does.
    pub fn set(&self, fault: Fault) {
        self.state.fault.send_replace(fault);
    }

    /// The requests since the last question, in the order of their answers.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.state.requests())
    }

    /// Copies an object: `bucket/a`.
    pub fn copy(&self, from: &str, to: &str) {
        let copied = proxy::send(self.address, &format!("PUT /{to}"), &format!("x-amz-copy-source: /{from}\r\n"));
        assert!(copied.starts_with("HTTP/1.1 200"), "{copied}");
    }

    fn make(&self, bucket: &str) {
        let made = proxy::send(self.address, &format!("PUT /{bucket}"), "");
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        self.requests();
    }
}
