//! A `nebula serve` process that can be measured, signalled and starved.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
};

use nebula_integration_tests::{Nebula, Project};

use super::{Answer, Client, PATIENCE, eventually};

/// A `nebula serve` process. Dropping it kills it.
pub(crate) struct Server {
    process: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

impl Server {
    /// A server of `project`'s functions.
    pub(crate) fn start(project: &Project) -> Self {
        Self::spawn(serve(project))
    }

    /// One that may have so many files open at most.
    pub(crate) fn start_with_descriptors(project: &Project, limit: u32) -> Self {
        let (serve, limited) = (serve(project), format!("ulimit -n {limit} && exec \"$0\" \"$@\""));
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &limited]).arg(serve.get_program());
        Self::spawn(like(&serve, shell))
    }

    fn spawn(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, (announce, announced)) = (Arc::default(), mpsc::channel());
        let reading = read(process.stderr.take().unwrap(), Arc::clone(&log), announce);
        let address =
            announced.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no server:\n{}", log.lock().unwrap()));
        Self { process, address, log, reading: Some(reading) }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.address).unwrap()
    }

    /// A new connection on which a GET is sent.
    pub(crate) fn connect_and_get(&self, path: &str) -> Client {
        let mut client = self.connect();
        client.get(path);
        client
    }

    /// The answer to a GET on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect_and_get(path).answer().unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()))
    }

    /// How many invocations go on, as the server's metrics say.
    pub(crate) fn in_flight(&self) -> u64 {
        let (_, metrics) = self.get("/metrics").summary();
        metrics.lines().find_map(|line| line.strip_prefix("nebula_in_flight ")?.parse().ok()).unwrap()
    }

    /// Waits until so many invocations go on.
    pub(crate) fn wait_for_in_flight(&self, count: u64) {
        eventually(&format!("{count} invocations in flight"), || (self.in_flight() == count).then_some(()));
    }

    /// Sends it a signal: `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until it takes no connections any more.
    pub(crate) fn wait_until_closed(&self) {
        eventually("a closed listener", || Client::connect(&self.address).is_err().then_some(()));
    }

    /// Its exit code, once it has ended by itself; none where a signal ended it.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        eventually("the server's end", || self.process.try_wait().unwrap()).code()
    }

    /// How much of its memory is in use, in bytes.
    #[cfg(target_os = "linux")]
    pub(crate) fn resident_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        kibibytes.unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    /// How long its threads have run so far, in the system's clock ticks: hundredths of a second.
    #[cfg(target_os = "linux")]
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        // Behind the name, which may have blanks: utime and stime are the 14th and 15th field of proc_pid_stat(5).
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
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

/// The command `original` of another program.
pub(crate) fn command_of(original: &Command, program: &OsStr) -> Command {
    like(original, Command::new(program))
}

/// `command` with the arguments, the folder and the environment of `original` besides its own.
fn like(original: &Command, mut command: Command) -> Command {
    command.args(original.get_args()).env_clear();
    command.envs(original.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(original.get_current_dir().unwrap());
    command
}

fn serve(project: &Project) -> Command {
    Nebula::built().command(project, ["serve", "--listen", "127.0.0.1:0"])
}

/// Reads the log, and announces the address that is in it.
fn read(stderr: ChildStderr, log: Arc<Mutex<String>>, announce: mpsc::Sender<String>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("listening on http://") {
                // Nobody waits for a second one.
                let _ = announce.send(address.to_owned());
            }
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    })
}
