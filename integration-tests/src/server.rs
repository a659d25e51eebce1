//! A server, such as a `nebula serve` process, and requests to it.

use std::{
    io::Read as _,
    ops::Deref,
    process::{Command, Stdio},
};

use http::{HeaderMap, Request};
use ureq::{Agent, AsSendBody};

use crate::{
    PATIENCE,
    nebula::{Nebula, ProcessOutput},
    process::Process,
    project::Project,
};

/// A server on a free port, such as a `nebula serve` process. Dropping it kills the process.
pub struct Server {
    process: Process,
    address: String,
    agent: Agent,
}

/// A response, as far as it arrived.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, as far as it arrived.
    pub body: Vec<u8>,
    /// Whether the connection ended before the body did.
    pub broken_off: bool,
}

impl Server {
    /// Starts a server with the functions of `project`. It logs every report, in JSON.
    ///
    /// # Errors
    /// Returns the output of the process if it exits instead of listening.
    pub fn start(nebula: &Nebula, project: &Project, options: &[&str]) -> Result<Self, ProcessOutput> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--reports", "all", "--log-format", "json"];
        let mut command = nebula.command(project, [&arguments, options].concat());
        Self::start_command(&mut command)
    }

    /// Starts a server by a command. The server logs where it listens.
    ///
    /// # Errors
    /// Returns the output of the process if it exits instead of listening.
    pub fn start_command(command: &mut Command) -> Result<Self, ProcessOutput> {
        let process = Process::start(command.stderr(Stdio::piped()));
        let Some(address) = process.wait_for_address() else { return Err(process.wait()) };
        // This machine is among all addresses that a container listens on.
        let address = address.replace("0.0.0.0", "127.0.0.1");
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).proxy(None);
        let agent = config.user_agent("nebula-tests").accept("").build().into();
        Ok(Self { process, address, agent })
    }

    /// The server's address: `127.0.0.1:43210`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request whose URI is only a path, and returns the response as far as it arrives.
    pub fn send(&self, request: Request<impl AsSendBody>) -> HttpResponse {
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("http://{}{}", self.address, parts.uri).parse().unwrap();
        let request = self.agent.configure_request(Request::from_parts(parts, body)).allow_non_standard_methods(true);
        let response = self.agent.run(request.build()).unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        let (parts, body) = response.into_parts();
        let mut received = Vec::new();
        let broken_off = body.into_reader().read_to_end(&mut received).is_err();
        HttpResponse { status: parts.status.as_u16(), headers: parts.headers, body: received, broken_off }
    }

    /// Sends a GET, and returns the response as far as it arrives.
    pub fn get(&self, path: &str) -> HttpResponse {
        self.send(Request::get(path).body(()).unwrap())
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl HttpResponse {
    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
