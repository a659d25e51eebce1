//! A process whose log a test reads.

use std::{
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    thread::JoinHandle,
};

use serde_json::Value;

use crate::{
    log::{Log, message},
    nebula::ProcessOutput,
};

/// A process without stdin and stdout, whose log is read while it runs. Dropping it kills the process.
pub struct Process {
    child: Child,
    log: Log,
    log_reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a process and reads its log from stderr, if `command` pipes stderr.
    pub fn start(command: &mut Command) -> Self {
        let (mut process, stderr) = Self::start_unread(command);
        process.log_reader = stderr.map(|stderr| process.log.read(stderr));
        process
    }

    /// Starts a process without reading its log. The caller may read it.
    pub fn start_unread(command: &mut Command) -> (Self, Option<ChildStderr>) {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = child.stderr.take();
        (Self { child, log: Log::default(), log_reader: None }, stderr)
    }

    /// Waits until the log of a server says where it listens. `None` if the log ends first.
    pub fn wait_for_address(&self) -> Option<String> {
        self.log.wait_for(|line| listening_address(message(line).or(line.as_str())?))
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process, by its name: `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// The exit status, if the process has ended.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until the process exits, and returns its output.
    pub fn wait(mut self) -> ProcessOutput {
        let status = self.child.wait().unwrap();
        self.log_reader.take().map(JoinHandle::join);
        ProcessOutput {
            stderr: self.log.text(),
            ..ProcessOutput::from(Output { status, stdout: Vec::new(), stderr: Vec::new() })
        }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The events in the log so far, without the reports of invocations.
    pub fn events(&self) -> Vec<Value> {
        self.log.find_all(|line| message(line) != Some("REPORT"))
    }

    /// Waits for a line of the log whose message contains `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.log.wait_for_message(text);
    }

    /// Waits for the report of an invocation. It is logged when the invocation ends.
    pub fn report(&self, invocation_id: &str) -> Value {
        self.log.report(invocation_id)
    }

    /// The stderr of an invocation's guest, as far as it is logged.
    pub fn guest_stderr(&self, invocation_id: &str) -> String {
        self.log.guest_stderr(invocation_id)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.log_reader.take().map(JoinHandle::join);
    }
}

/// The address that a line of a server's log announces, if it does.
pub fn listening_address(line: &str) -> Option<String> {
    let (_, url) = line.split_once("listening on ")?;
    let address = ["http://", "https://", "unix:"].iter().find_map(|scheme| url.strip_prefix(scheme))?;
    // In JSON, a quotation mark follows.
    address.split('"').next().map(str::to_owned)
}
