//! The options of `nebula run` for a file. A published function has its settings instead.

use clap::Args;
use nebula_runtime::{Destination, FunctionConfig, HostPattern};

use crate::{
    config::absolute,
    failure::Failure,
    values::{Dir, Size, Timeout, Variable},
};

/// The settings of a file's function.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options for a FILE")]
pub(crate) struct FileOptions {
    /// The export to call
    #[arg(long, value_name = "NAME")]
    export: Option<String>,
    /// Set an environment variable. The function has no others
    #[arg(long, value_name = "K=V")]
    env: Vec<Variable>,
    /// Let the function read a folder, or with :rw also write to it
    #[arg(long, value_name = "HOST::GUEST[:rw]")]
    dir: Vec<Dir>,
    /// Let the function send HTTP requests to a host, such as api.example.com, *.example.com:8443 or 127.0.0.1:9000
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<HostPattern>,
    /// Let the function connect to a host and a port, such as db.example.com:5432 or 10.0.0.5:5432, or with udp:// before
    /// it exchange datagrams
    #[arg(long, value_name = "HOST:PORT")]
    connect: Vec<Destination>,
    /// The memory limit [default: 128MiB]
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// The time limit of one event [default: 30s]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Timeout>,
    /// The size limit of one event [default: 6MiB]
    #[arg(long, value_name = "SIZE")]
    max_request: Option<Size>,
    /// The size limit of one result [default: 6MiB]
    #[arg(long, value_name = "SIZE")]
    max_response: Option<Size>,
}

impl FileOptions {
    /// The name of the first option that is set.
    pub(super) fn first_given(&self) -> Option<&'static str> {
        let given = [
            ("--export", self.export.is_some()),
            ("--env", !self.env.is_empty()),
            ("--dir", !self.dir.is_empty()),
            ("--allow-host", !self.allow_host.is_empty()),
            ("--connect", !self.connect.is_empty()),
            ("--memory", self.memory.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--max-request", self.max_request.is_some()),
            ("--max-response", self.max_response.is_some()),
        ];
        given.into_iter().find_map(|(name, given)| given.then_some(name))
    }

    /// The function's configuration. `args` are the arguments of a command.
    pub(super) fn config(self, args: Vec<String>) -> Result<FunctionConfig, Failure> {
        let mut config = FunctionConfig::default();
        config.export = self.export;
        config.limits.memory = self.memory.map(|size| size.0);
        config.limits.timeout = self.timeout.map(|timeout| timeout.0);
        config.limits.max_request = self.max_request.map(|size| size.0);
        config.limits.max_response = self.max_response.map(|size| size.0);
        config.args = args;
        config.env = self.env.into_iter().map(|Variable(name, value)| (name.0, value.into())).collect();
        config.dirs = self.dir.into_iter().map(|dir| absolute(dir.0)).collect::<Result<_, _>>()?;
        config.allow_hosts = self.allow_host;
        config.connect = self.connect;
        Ok(config)
    }
}
