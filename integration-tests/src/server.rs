//! `nebula serve`, and requests to it.

use std::{
    io::Read as _,
    process::{Child, Stdio},
    thread::JoinHandle,
};

use http::{HeaderMap, Request};
use serde_json::Value;
use ureq::{Agent, AsSendBody};

use crate::{
    PATIENCE,
    log::{Log, message},
    nebula::{Nebula, Ran},
    project::Project,
};

/// A `nebula serve` process on a port that was free. Dropping it ends it.
pub struct Server {
    process: Child,
    log: Log,
    reading: Option<JoinHandle<()>>,
    address: String,
    agent: Agent,
}

/// A response, as far as it came.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    /// What came of its body.
    pub body: Vec<u8>,
    /// Whether the connection ended before the body did.
    pub broken_off: bool,
}

impl Server {
    /// Starts a server of the functions of `project`, which logs all that it can say in JSON.
    ///
    /// # Errors
    /// What became of the process where it ended instead.
    pub fn start(nebula: &Nebula, project: &Project, options: &[&str]) -> Result<Self, Ran> {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--reports", "all", "--log-format", "json"];
        let mut command = nebula.command(project, [&arguments, options].concat());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::default();
        let reading = log.read(process.stderr.take().unwrap());
        let Some(listening) =
            log.wait_for(|line| Some(message(line)?.strip_prefix("listening on http://")?.to_owned()))
        else {
            reading.join().unwrap();
            let mut ran = Ran::from(process.wait_with_output().unwrap());
            ran.stderr = log.text();
            return Err(ran);
        };
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).proxy(None);
        let agent = config.user_agent("nebula-tests").accept("").build().into();
        Ok(Self { process, log, reading: Some(reading), address: listening, agent })
    }

    /// Where it listens: `127.0.0.1:43210`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request whose URI is only a path, and takes the response as far as it comes.
    pub fn send(&self, request: Request<impl AsSendBody>) -> Answered {
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("http://{}{}", self.address, parts.uri).parse().unwrap();
        let request = self.agent.configure_request(Request::from_parts(parts, body)).allow_non_standard_methods(true);
        let response = self.agent.run(request.build()).unwrap_or_else(|error| panic!("{error}\n{}", self.log.text()));
        let (parts, body) = response.into_parts();
        let mut received = Vec::new();
        let broken_off = body.into_reader().read_to_end(&mut received).is_err();
        Answered { status: parts.status.as_u16(), headers: parts.headers, body: received, broken_off }
    }

    /// Sends a GET, and takes the response as far as it comes.
    pub fn get(&self, path: &str) -> Answered {
        self.send(Request::get(path).body(()).unwrap())
    }

    /// The report of an invocation, which is logged when it has ended.
    pub fn report(&self, invocation_id: &str) -> Value {
        self.log.report(invocation_id)
    }

    /// What an invocation's guest wrote to stderr, as far as it is logged.
    pub fn guest_stderr(&self, invocation_id: &str) -> String {
        self.log.guest_stderr(invocation_id)
    }

    /// The whole log so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The events in the log so far, but for the reports of invocations, which are many.
    pub fn events(&self) -> Vec<Value> {
        self.log.find_all(|line| message(line) != Some("REPORT"))
    }

    /// Waits for a line of the log whose message contains `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.log.wait_for_message(text);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is no failure here.
        let _ = self.process.kill();
        let _ = self.process.wait();
        drop(self.reading.take().map(JoinHandle::join));
    }
}

impl Answered {
    /// A header field's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
