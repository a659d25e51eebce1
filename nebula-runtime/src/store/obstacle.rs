//! Why a folder cannot be made or opened.

use std::{fs, io, path::Path};

/// Why the folder `path` cannot be made or opened: a link that leads nowhere, a file in its place, or else `error`. The
/// system says "File exists" in both cases.
pub(crate) fn explained(path: &Path, error: io::Error) -> io::Error {
    let mut parts: Vec<_> = path.ancestors().collect();
    parts.reverse();
    let link = parts.iter().find_map(|part| link_to_nowhere(part));
    let obstacle = link.or_else(|| file(path).filter(|_| error.kind() == io::ErrorKind::AlreadyExists));
    match obstacle {
        Some(obstacle) => io::Error::new(error.kind(), obstacle),
        None => error,
    }
}

fn link_to_nowhere(path: &Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    let error = fs::metadata(path).err()?;
    let nowhere = match error.kind() {
        io::ErrorKind::NotFound => "is not there",
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => "leads in a circle",
        _ => return None,
    };
    Some(format!("{} is a link to {}, which {nowhere}", path.display(), target.display()))
}

fn file(path: &Path) -> Option<String> {
    let is_file = fs::metadata(path).is_ok_and(|found| !found.is_dir());
    is_file.then(|| format!("{} is not a folder", path.display()))
}
