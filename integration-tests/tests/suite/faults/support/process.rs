//! A `nebula serve` process that tests can measure, signal and deprive of resources.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Read as _},
    ops::Deref,
    process::{ChildStderr, Command, Stdio},
};

use nebula_integration_tests::{Nebula, Process, Project, listening_address};

use super::{Client, Response, eventually};

/// The log of a server, which the test reads itself.
pub(crate) type Log = BufReader<ChildStderr>;

/// A `nebula serve` process. Dropping it kills it.
pub(crate) struct Server {
    process: Process,
    address: String,
}

impl Server {
    /// Starts a server with the functions of `project`.
    pub(crate) fn start(project: &Project) -> Self {
        Self::spawn(serve(project))
    }

    /// Starts a server of another command, as its environment says.
    pub(crate) fn start_as(nebula: &Nebula, project: &Project) -> Self {
        Self::spawn(nebula.command(project, SERVE))
    }

    /// Starts a server, and reads its log until it listens. The test may read the rest.
    pub(crate) fn start_unread(project: &Project, options: &[&str]) -> (Self, Log) {
        Self::start_unread_as(&Nebula::built(), project, options)
    }

    /// The same of another command, as its environment says.
    pub(crate) fn start_unread_as(nebula: &Nebula, project: &Project, options: &[&str]) -> (Self, Log) {
        let mut serve = nebula.command(project, SERVE);
        let (process, log) = Process::start_unread(serve.args(options).stderr(Stdio::piped()));
        let mut log = BufReader::new(log.unwrap());
        let mut lines = log.by_ref().lines().map_while(Result::ok);
        let address =
            lines.find_map(|line| listening_address(&line)).unwrap_or_else(|| panic!("the server does not listen"));
        (Self { process, address }, log)
    }

    /// Starts a server whose log is on a full disk.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_with_full_disk(project: &Project, options: &[&str]) -> Self {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (process, _) = Process::start_unread(serve(project).args(options).stderr(full));
        let mut server = Self { process, address: String::new() };
        let port = eventually("a server that listens", || {
            assert_eq!(server.process.status(), None, "the server has ended");
            server.listening_port()
        });
        server.address = format!("127.0.0.1:{port}");
        server
    }

    /// The port that the server listens on, according to the system.
    #[cfg(target_os = "linux")]
    fn listening_port(&self) -> Option<u16> {
        /// The state of a listening socket in proc_pid_net(5).
        const LISTENING: &str = "0A";

        self.own_sockets().into_iter().find_map(|fields| (fields[3] == LISTENING).then(|| port(&fields[1])))
    }

    /// How many connections to a port of this machine the server has.
    #[cfg(target_os = "linux")]
    pub(crate) fn connections_to(&self, remote: u16) -> usize {
        self.own_sockets().iter().filter(|fields| port(&fields[2]) == remote).count()
    }

    /// The fields of each TCP socket of the server in proc_pid_net(5).
    #[cfg(target_os = "linux")]
    fn own_sockets(&self) -> Vec<Vec<String>> {
        let process = std::path::PathBuf::from(format!("/proc/{}", self.process.id()));
        let descriptors = std::fs::read_dir(process.join("fd")).unwrap().map_while(Result::ok);
        let links: Vec<_> = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect();
        let is_own =
            |inode: &str| links.iter().any(|link| link.as_os_str() == OsStr::new(&format!("socket:[{inode}]")));
        let sockets = std::fs::read_to_string(process.join("net/tcp")).unwrap();
        let fields = |socket: &str| socket.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        sockets.lines().skip(1).map(fields).filter(|fields| is_own(&fields[9])).collect()
    }

    /// Starts a server that may have at most `limit` file descriptors.
    pub(crate) fn start_with_descriptors(project: &Project, limit: u32) -> Self {
        let (serve, limited) = (serve(project), format!("ulimit -n {limit} && exec \"$0\" \"$@\""));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &limited]).arg(serve.get_program());
        Self::spawn(with_context_of(&serve, shell))
    }

    /// Starts a server with an option of `env` that sets how a signal is handled: `--ignore-signal=HUP`.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_with_signal(project: &Project, option: &str) -> Self {
        let (serve, mut env) = (serve(project), Command::new("env"));
        env.arg(option).arg(serve.get_program());
        Self::spawn(with_context_of(&serve, env))
    }

    /// Starts a server by a command. The server, or whatever starts it, says where it listens.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let process = Process::start(command.stderr(Stdio::piped()));
        let address =
            process.wait_for_address().unwrap_or_else(|| panic!("the server does not listen:\n{}", process.log()));
        Self { process, address }
    }

    /// The server's address: `127.0.0.1:43210`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Opens a connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.address).unwrap()
    }

    /// Opens a connection and sends a GET.
    pub(crate) fn connect_and_get(&self, path: &str) -> Client {
        let mut client = self.connect();
        client.get(path);
        client
    }

    /// Sends a GET on a new connection and returns the response.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.connect_and_get(path).response().unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()))
    }

    /// The number of invocations in flight, according to the server's metrics.
    pub(crate) fn in_flight(&self) -> u64 {
        self.metric("nebula_in_flight")
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, metrics) = self.get("/metrics").summary();
        metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()).unwrap()
    }

    /// How many invocations of a version ended so, according to the server's metrics.
    pub(crate) fn invocations(&self, function: &str, version: u64, outcome: &str) -> u64 {
        let (_, metrics) = self.get("/metrics").summary();
        let labels = format!("function=\"{function}\",version=\"{version}\",outcome=\"{outcome}\",");
        let series = format!("nebula_invocations_total{{{labels}");
        let counts = metrics.lines().filter(|line| line.starts_with(&series)).filter_map(|line| line.rsplit_once(' '));
        counts.map(|(_, count)| count.parse::<u64>().unwrap()).sum()
    }

    /// Waits until `count` invocations are in flight.
    pub(crate) fn wait_for_in_flight(&self, count: u64) {
        eventually(&format!("{count} invocations in flight"), || (self.in_flight() == count).then_some(()));
    }

    /// Waits until the server accepts no more connections.
    pub(crate) fn wait_until_closed(&self) {
        eventually("a closed listener", || Client::connect(&self.address).is_err().then_some(()));
    }

    /// Waits until the server ends, and returns its exit code. `None` if a signal ended it.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        eventually("the server's end", || self.process.status()).code()
    }

    /// The server's resident memory, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident_memory(&self) -> u64 {
        self.status("VmRSS").trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// A field of the kernel's status of the server (`proc_pid_status(5)`).
    #[cfg(target_os = "linux")]
    pub(crate) fn status(&self, field: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap().trim().to_owned()
    }

    /// The CPU time that the server has used, in the system's clock ticks of 10 ms.
    #[cfg(target_os = "linux")]
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // The name may have blanks, so fields are counted after it. utime and stime are fields 14 and 15 of
        // proc_pid_stat(5).
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// The port of an address in proc_pid_net(5).
#[cfg(target_os = "linux")]
fn port(address: &str) -> u16 {
    let (_, port) = address.split_once(':').unwrap();
    u16::from_str_radix(port, 16).unwrap()
}

/// The command `original` with another program.
pub(crate) fn with_program(original: &Command, program: &OsStr) -> Command {
    with_context_of(original, Command::new(program))
}

/// `command` with the folder and the environment of `original`, whose arguments are appended.
fn with_context_of(original: &Command, mut command: Command) -> Command {
    command.args(original.get_args()).env_clear();
    command.envs(original.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(original.get_current_dir().unwrap());
    command
}

/// Serves on a free port.
const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

fn serve(project: &Project) -> Command {
    Nebula::built().command(project, SERVE)
}
