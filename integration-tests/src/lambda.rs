//! `bootstrap`, as AWS Lambda runs it.

use std::{
    ops::Deref,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    nebula::{Nebula, Ran},
    package::Package,
    process::Process,
    runtime_api::{Event, Invoked, RuntimeApi},
};

/// An environment of AWS Lambda: a `bootstrap` process, and the Runtime API that it talks to. Dropping it ends both.
pub struct Lambda {
    // Before the API: the process ends first.
    process: Process,
    api: RuntimeApi,
}

impl Lambda {
    /// Starts an environment of the functions of `package`, with `variables` besides those that Lambda sets. It logs in
    /// JSON.
    pub fn start(package: &Package, variables: &[(&str, &str)]) -> Self {
        let api = RuntimeApi::start();
        let mut command = bootstrap(package.folder(), api.address());
        command.envs(variables.iter().copied());
        Self { process: Process::start(command.stderr(Stdio::piped())), api }
    }

    /// The Runtime API that it talks to.
    pub fn api(&self) -> &RuntimeApi {
        &self.api
    }

    /// What it answers to an event.
    pub fn invoke(&self, event: Event) -> Invoked {
        let id = event.id.clone();
        self.api.invoke(event).unwrap_or_else(|| panic!("no answer to {id}:\n{}", self.log()))
    }

    /// What becomes of the process, once it ends by itself.
    pub fn ended(self) -> Ran {
        self.process.ended()
    }
}

impl Deref for Lambda {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
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
