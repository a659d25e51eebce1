//! `nebula serve`, and requests to it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStderr, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use http::{HeaderMap, Request};
use serde_json::Value;
use ureq::{Agent, AsSendBody};

use crate::{Nebula, Project, Ran};

/// How long anything here may take before the test fails: much longer than it ever does.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let is_it = |line: &Value| line["message"] == "REPORT" && line["id"] == invocation_id;
        let report = self.log.wait_for(|line| Some(line).filter(|line| is_it(line)).cloned());
        report.unwrap_or_else(|| panic!("no report of {invocation_id}:\n{}", self.log.text()))
    }

    /// What an invocation's guest wrote to stderr, as far as it is logged.
    pub fn guest_stderr(&self, invocation_id: &str) -> String {
        let is_of_it = |line: &Value| line["target"] == "nebula::guest" && line["invocation_id"] == invocation_id;
        let lines = self.log.lines();
        lines.iter().filter(|line| is_of_it(line)).filter_map(message).map(|line| line.to_owned() + "\n").collect()
    }

    /// The whole log so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a line of the log whose message contains `text`.
    pub fn wait_for_log(&self, text: &str) {
        let found = self.log.wait_for(|line| message(line)?.contains(text).then_some(()));
        found.unwrap_or_else(|| panic!("no {text:?} in the log:\n{}", self.log.text()));
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

fn message(line: &Value) -> Option<&str> {
    line["message"].as_str()
}

/// The lines that a process has logged so far.
#[derive(Clone, Default)]
struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<Value>,
    ended: bool,
}

impl Log {
    fn read(&self, stderr: ChildStderr) -> JoinHandle<()> {
        let log = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n') {
                let line = line.unwrap();
                let text = || String::from_utf8_lossy(&line).into();
                log.change(|lines| lines.lines.push(serde_json::from_slice(&line).unwrap_or_else(|_| text())));
            }
            log.change(|lines| lines.ended = true);
        })
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// What `find` finds in a line, once there is such a line; nothing where the log ends without.
    fn wait_for<T>(&self, find: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let (mut seen, mut lines) = (0, self.0.0.lock().unwrap());
        loop {
            if let Some(found) = lines.lines[seen..].iter().find_map(&find) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.ended || left.is_zero() {
                return None;
            }
            seen = lines.lines.len();
            lines = self.0.1.wait_timeout(lines, left).unwrap().0;
        }
    }

    fn lines(&self) -> Vec<Value> {
        self.0.0.lock().unwrap().lines.clone()
    }

    fn text(&self) -> String {
        let text = |line: &Value| line.as_str().map_or_else(|| line.to_string(), str::to_owned) + "\n";
        self.lines().iter().map(text).collect()
    }
}
