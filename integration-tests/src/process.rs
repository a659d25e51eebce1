//! A process that logs, under the eyes of a test.

use std::{
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    thread::JoinHandle,
};

use serde_json::Value;

use crate::{
    log::{Log, message},
    nebula::Ran,
};

/// A process without input, whose stdout nobody reads and whose log is read as it comes. Dropping it kills it.
pub struct Process {
    child: Child,
    log: Log,
    reading: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts a process. Its log is what it writes to stderr, where `command` does not send that elsewhere.
    pub fn start(command: &mut Command) -> Self {
        let (mut process, stderr) = Self::start_unread(command);
        process.reading = stderr.map(|stderr| process.log.read(stderr));
        process
    }

    /// Starts a process whose log the caller reads, or not.
    pub fn start_unread(command: &mut Command) -> (Self, Option<ChildStderr>) {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = child.stderr.take();
        (Self { child, log: Log::default(), reading: None }, stderr)
    }

    /// Where a server listens, once its log says so; nothing where the log ends without.
    pub fn listening(&self) -> Option<String> {
        self.log.wait_for(|line| announced(message(line).or(line.as_str())?))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal: `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What became of it, once it ends by itself.
    pub fn ended(mut self) -> Ran {
        let status = self.child.wait().unwrap();
        self.reading.take().map(JoinHandle::join);
        Ran { stderr: self.log.text(), ..Ran::from(Output { status, stdout: Vec::new(), stderr: Vec::new() }) }
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

    /// The report of an invocation, which is logged when it has ended.
    pub fn report(&self, invocation_id: &str) -> Value {
        self.log.report(invocation_id)
    }

    /// What an invocation's guest wrote to stderr, as far as it is logged.
    pub fn guest_stderr(&self, invocation_id: &str) -> String {
        self.log.guest_stderr(invocation_id)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is no failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.reading.take().map(JoinHandle::join);
    }
}

/// The address that a line of a server's log announces.
pub fn announced(line: &str) -> Option<String> {
    let (_, address) = line.split_once("listening on http://")?;
    // In JSON, a quotation mark follows.
    address.split('"').next().map(str::to_owned)
}
