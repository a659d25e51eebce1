//! `bootstrap`, as AWS Lambda runs it.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use serde_json::Value;

use crate::{
    log::Log,
    nebula::{Nebula, Ran},
    package::Package,
    runtime_api::{Event, Invoked, RuntimeApi},
};

/// An environment of AWS Lambda: a `bootstrap` process, and the Runtime API that it talks to. Dropping it ends both.
pub struct Lambda {
    process: Option<Child>,
    log: Log,
    reading: Option<JoinHandle<()>>,
    api: RuntimeApi,
}

impl Lambda {
    /// Starts an environment of the functions of `package`, with `variables` besides those that Lambda sets. It logs in JSON.
    pub fn start(package: &Package, variables: &[(&str, &str)]) -> Self {
        let api = RuntimeApi::start();
        let mut command = bootstrap(package.folder(), api.address());
        command.envs(variables.iter().copied());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::default();
        let reading = log.read(process.stderr.take().unwrap());
        Self { process: Some(process), log, reading: Some(reading), api }
    }

    /// The Runtime API that it talks to.
    pub fn api(&self) -> &RuntimeApi {
        &self.api
    }

    /// What it answers to an event.
    pub fn invoke(&self, event: Event) -> Invoked {
        let id = event.id.clone();
        self.api.invoke(event).unwrap_or_else(|| panic!("no answer to {id}:\n{}", self.log.text()))
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

    /// Waits for a line of the log whose message contains `text`.
    pub fn wait_for_log(&self, text: &str) {
        self.log.wait_for_message(text);
    }

    /// Sends the process a signal: `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// What becomes of the process, once it ends by itself.
    pub fn ended(mut self) -> Ran {
        let process = self.process.take().unwrap();
        let mut ran = Ran::from(process.wait_with_output().unwrap());
        drop(self.reading.take().map(JoinHandle::join));
        ran.stderr = self.log.text();
        ran
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // One that has ended already is no failure here.
            let _ = process.kill();
            let _ = process.wait();
        }
        drop(self.reading.take().map(JoinHandle::join));
    }
}

/// A `bootstrap` of the package in `folder`, with the environment that Lambda gives it and nothing else.
pub fn bootstrap(folder: &Path, runtime_api: &str) -> Command {
    let mut command = Command::new(Nebula::built().beside("bootstrap"));
    command.current_dir(folder).env_clear().envs([
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_NAME", "tests"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
    ]);
    command.env("LAMBDA_TASK_ROOT", folder);
    command
}
