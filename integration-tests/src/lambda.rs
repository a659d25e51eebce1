//! `bootstrap` in an environment like that of AWS Lambda.

use std::{
    ops::Deref,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    nebula::{Nebula, ProcessOutput},
    package::Package,
    process::Process,
    runtime_api::{Event, LambdaResponse, RuntimeApi},
    services::NODE,
};

/// An AWS Lambda environment: a `bootstrap` process and its Runtime API. Dropping it stops both.
pub struct Lambda {
    // Declared before the API, so that the process is stopped first.
    process: Process,
    api: RuntimeApi,
}

impl Lambda {
    /// Starts an environment with the functions of `package`. `variables` are added to the variables that Lambda sets.
    /// The log is in JSON.
    pub fn start(package: &Package, variables: &[(&str, &str)]) -> Self {
        let api = RuntimeApi::start();
        let mut command = bootstrap(package.folder(), api.address());
        command.envs(variables.iter().copied());
        Self { process: Process::start(command.stderr(Stdio::piped())), api }
    }

    /// The Runtime API of the environment.
    pub fn api(&self) -> &RuntimeApi {
        &self.api
    }

    /// Sends an event and returns the response.
    pub fn invoke(&self, event: Event) -> LambdaResponse {
        let id = event.id.clone();
        self.api.invoke(event).unwrap_or_else(|| panic!("no response to {id}:\n{}", self.log()))
    }

    /// Waits until the process exits, and returns its output.
    pub fn wait(self) -> ProcessOutput {
        self.process.wait()
    }
}

impl Deref for Lambda {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// A command that runs `bootstrap` with the package in `folder`. Its environment variables are exactly those that
/// Lambda sets.
pub fn bootstrap(folder: &Path, runtime_api: &str) -> Command {
    let mut command = Command::new(Nebula::built().sibling_program("bootstrap"));
    command.current_dir(folder).env_clear().envs([
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_NAME", "tests"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
    ]);
    command.env("LAMBDA_TASK_ROOT", folder).envs(NODE);
    command
}
