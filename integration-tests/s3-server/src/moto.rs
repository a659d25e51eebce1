//! The process of the server.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
};

/// The server behind the proxy. Its process ends when this is dropped, or when this process ends: its stdin is then closed.
pub(crate) struct Moto {
    process: Child,
    port: u16,
}

impl Moto {
    /// Starts it; `None` where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("python3");
        command.arg("-B").arg(here.join("server.py")).env("PYTHONPATH", here.join("../../target/tools/moto"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().ok()?;
        let mut line = String::new();
        let output = process.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("its output can be read");
        match line.trim().parse() {
            Ok(port) => Some(Self { process, port }),
            Err(_) => {
                let _ = process.wait();
                assert!(env::var_os("CI").is_none(), "no moto here: ci/moto.sh");
                eprintln!("not tested on S3: there is no moto here, which ci/moto.sh installs");
                None
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
