//! Listens on a Unix socket. Its file appears when the server listens, and is removed when it does not any more.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net,
    },
    path::{Path, PathBuf},
    process,
};

use tokio::net::UnixListener;

/// Who may connect: the user of the server, and the group of the file.
const MODE: u32 = 0o660;

/// How often a file of a server that has ended is replaced, before another server must be doing the same.
const ATTEMPTS: usize = 3;

/// The file of a Unix socket. Dropping it removes the file, unless another server has replaced it.
pub(super) struct SocketFile {
    path: PathBuf,
    /// The device and the inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // If this fails, the next server replaces the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens on a socket at `path`. A file that a server has left behind is replaced.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] if another server listens there, and [`io::ErrorKind::AlreadyExists`] if the file is no
/// socket.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    // The socket gets its name when it listens. Otherwise another server could take it for one that was left behind.
    let unnamed = beside(path, "new");
    remove_if_there(&unnamed)?;
    let listener = net::UnixListener::bind(&unnamed)?;
    let named = set_mode(&unnamed).and_then(|()| name(&unnamed, path));
    let removed = fs::remove_file(&unnamed);
    let identity = named.and_then(|()| identity(path))?;
    removed?;
    let file = SocketFile { path: path.to_owned(), identity };
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, file))
}

/// Gives a socket its name.
fn name(socket: &Path, path: &Path) -> io::Result<()> {
    for _ in 0..ATTEMPTS {
        // Other than a renaming, a link never replaces a file.
        match fs::hard_link(socket, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_left_behind(path)?,
            named => return named,
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// Removes a socket that nobody listens on.
///
/// It is moved away first, and then looked at once more: another server may have replaced it meanwhile.
fn remove_left_behind(path: &Path) -> io::Result<()> {
    check_left_behind(path)?;
    let aside = beside(path, "old");
    fs::rename(path, &aside)?;
    match check_left_behind(&aside) {
        Ok(()) => fs::remove_file(&aside),
        Err(error) => {
            fs::rename(&aside, path)?;
            Err(error)
        }
    }
}

fn check_left_behind(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    match net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// A path in the same folder that no other process uses.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{what}-{}", process::id()));
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn set_mode(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_file_is_there_while_the_server_listens_and_is_open_to_its_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let (listener, file) = bind(&path).unwrap();
        assert_eq!(mode(&path), 0o660);
        net::UnixStream::connect(&path).unwrap();
        assert_eq!(bind(&path).err().unwrap().kind(), io::ErrorKind::AddrInUse);
        drop((listener, file));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_replaced_and_any_other_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(net::UnixListener::bind(&path).unwrap());
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
        let (_listener, file) = bind(&path).unwrap();
        net::UnixStream::connect(&path).unwrap();
        // A server that ends leaves the file of its successor.
        fs::remove_file(&path).unwrap();
        let _successor = net::UnixListener::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
        let other = folder.path().join("other");
        fs::write(&other, "mine").unwrap();
        assert_eq!(bind(&other).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&other).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
