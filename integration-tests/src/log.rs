//! The log of a process: one line of JSON for each event.

use std::{
    io::{BufRead as _, BufReader},
    process::ChildStderr,
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::Instant,
};

use serde_json::Value;

use crate::PATIENCE;

/// The message of a log line.
pub(crate) fn message(line: &Value) -> Option<&str> {
    line["message"].as_str()
}

/// The lines that a process has logged so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    lines: Vec<Value>,
    ended: bool,
}

impl Log {
    /// Starts a thread that reads `stderr` to its end.
    pub(crate) fn read(&self, stderr: ChildStderr) -> JoinHandle<()> {
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

    /// Waits for the report of an invocation. It is logged when the invocation ends.
    pub(crate) fn report(&self, invocation_id: &str) -> Value {
        let is_report = |line: &Value| line["message"] == "REPORT" && line["id"] == invocation_id;
        let report = self.wait_for(|line| Some(line).filter(|line| is_report(line)).cloned());
        report.unwrap_or_else(|| panic!("no report of {invocation_id}:\n{}", self.text()))
    }

    /// The stderr of an invocation's guest, as far as it is logged.
    pub(crate) fn guest_stderr(&self, invocation_id: &str) -> String {
        let is_of_guest = |line: &Value| line["target"] == "nebula::guest" && line["invocation_id"] == invocation_id;
        let lines = self.lines();
        lines.iter().filter(|line| is_of_guest(line)).filter_map(message).map(|line| line.to_owned() + "\n").collect()
    }

    /// Waits for a line whose message contains `text`.
    pub(crate) fn wait_for_message(&self, text: &str) {
        let found = self.wait_for(|line| message(line)?.contains(text).then_some(()));
        found.unwrap_or_else(|| panic!("no {text:?} in the log:\n{}", self.text()));
    }

    /// Waits for the first line for which `find` returns a value. `None` if the log ends first.
    pub(crate) fn wait_for<T>(&self, find: impl Fn(&Value) -> Option<T>) -> Option<T> {
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

    /// The lines so far for which `is_meant` is true.
    pub(crate) fn find_all(&self, is_meant: impl Fn(&&Value) -> bool) -> Vec<Value> {
        self.0.0.lock().unwrap().lines.iter().filter(is_meant).cloned().collect()
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.0.0.lock().unwrap().lines.clone()
    }

    /// The lines so far, as text.
    pub(crate) fn text(&self) -> String {
        let text = |line: &Value| line.as_str().map_or_else(|| line.to_string(), str::to_owned) + "\n";
        self.lines().iter().map(text).collect()
    }
}
