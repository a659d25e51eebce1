//! What systemd and a service tell each other: the sockets that systemd opened for the service (sd_listen_fds(3)), and
//! when the service is ready and stops (sd_notify(3)).

use std::{
    env,
    ffi::OsStr,
    io, iter,
    net::TcpListener,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram, UnixListener},
    },
    process,
};

use listenfd::ListenFd;
use nebula_http::Listener;

use crate::failure::Failure;

/// The sockets that systemd opened for this process.
#[derive(Debug, Default)]
pub(crate) struct PassedSockets {
    /// For callers of functions.
    pub(crate) public: Option<PassedSocket>,
    /// For the admin API: the one that is named `admin`.
    pub(crate) admin: Option<PassedSocket>,
}

/// A socket that systemd opened.
#[derive(Debug)]
pub(crate) enum PassedSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The name of the admin API's socket: `FileDescriptorName=admin`.
const ADMIN: &str = "admin";

impl PassedSockets {
    /// Takes the sockets that were passed to this process. It changes the environment, so that it is called before the
    /// process has threads.
    ///
    /// # Errors
    /// [`Failure::Passed`] if one of them is of another kind, or if there are several for one use.
    pub(crate) fn take() -> Result<Self, Failure> {
        let is_for_this_process = env::var("LISTEN_PID").is_ok_and(|id| id.parse() == Ok(process::id()));
        let mut passed = Self::default();
        if !is_for_this_process {
            return Ok(passed);
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut descriptors = ListenFd::from_env();
        for (index, name) in (0..descriptors.len()).zip(names.split(':').chain(iter::repeat(""))) {
            let socket = PassedSocket::take(&mut descriptors, index).map_err(Failure::Passed)?;
            let place = if name == ADMIN { &mut passed.admin } else { &mut passed.public };
            if place.replace(socket).is_some() {
                return Err(Failure::Usage(format!(
                    "systemd passed several sockets for one use: pass one to call functions, and one with \
                     FileDescriptorName={ADMIN} for the admin API"
                )));
            }
        }
        Ok(passed)
    }
}

impl PassedSocket {
    fn take(descriptors: &mut ListenFd, index: usize) -> io::Result<Self> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        match descriptors.take_tcp_listener(index) {
            Ok(listener) => listener.map(Self::Tcp).ok_or_else(missing),
            Err(_) => descriptors.take_unix_listener(index)?.map(Self::Unix).ok_or_else(missing),
        }
    }

    /// The socket as a listener.
    ///
    /// # Errors
    /// [`Failure::Passed`] if the system does not let this process use it.
    pub(crate) fn into_listener(self) -> Result<Listener, Failure> {
        let listener = match self {
            Self::Tcp(listener) => listener
                .set_nonblocking(true)
                .and_then(|()| tokio::net::TcpListener::from_std(listener))
                .map(Into::into),
            Self::Unix(listener) => listener
                .set_nonblocking(true)
                .and_then(|()| tokio::net::UnixListener::from_std(listener))
                .map(Into::into),
        };
        listener.map_err(Failure::Passed)
    }
}

/// Tells systemd that the service is ready, if systemd waits for that.
pub(crate) fn notify_ready() {
    notify("READY=1");
}

/// Tells systemd that the service stops, if systemd waits for that.
pub(crate) fn notify_stopping() {
    notify("STOPPING=1");
}

fn notify(state: &str) {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else { return };
    let sent = address(&path).and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!(%error, state, "failed to tell systemd the state of the server");
    }
}

#[cfg(target_os = "linux")]
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;

    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(path),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path)
}
