//! Opening the file, and making it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{Builder, ConcurrencyMode, Database, Error, ReadOnlyDatabase, ReadableDatabase, TableHandle as _};

use super::{
    failure::foreign,
    queue::Queue,
    shared_file::{Patience, SharedFile, Turns},
    values::VALUES,
};

/// The most memory that one process uses for pages of the file, once to read and once to write.
const CACHE: usize = 16 << 20;

/// Opens the file for reading, without waiting for anything. Nothing if there is no file yet.
pub(super) fn to_read(path: &Path) -> Result<Option<ReadOnlyDatabase>, Error> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    let file = SharedFile::new(file, Patience::None)?;
    let database = builder().open_read_only_with_backend(file)?;
    require_ours(&database)?;
    Ok(Some(database))
}

/// Opens the file for writing, and makes it if it is not there. Waits for another process that writes, while a caller
/// waits. If the file may be damaged, all of it is read, checked, and repaired where that is possible.
pub(super) fn to_write(path: &Path, queue: &Arc<Queue>, may_be_damaged: bool) -> Result<(Database, Turns), Error> {
    if !path.try_exists()? {
        make(path, queue)?;
    }
    let file = SharedFile::new(options().create(true).truncate(false).open(path)?, patience(queue))?;
    let turns = file.turns();
    let database = builder().set_check_integrity_on_open(may_be_damaged).create_with_backend(file)?;
    require_ours(&database)?;
    Ok((database, turns))
}

/// Makes the file at once as a whole: redb cannot open a file whose making was interrupted.
fn make(path: &Path, queue: &Arc<Queue>) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    let unfinished = Unfinished(folder.join(format!(".{:016x}.redb.new", fastrand::u64(..))));
    let file = SharedFile::new(options().create_new(true).open(&unfinished.0)?, patience(queue))?;
    builder().create_with_backend(file)?.close()?;
    // If another process was first, that file is used. On a file system without links, the file is made in its place.
    let _ = fs::hard_link(&unfinished.0, path);
    drop(unfinished);
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// A file that is removed when it has its name, or cannot get it.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a folder and those above it, so that they survive a loss of power.
fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let Some(parent) = path.parent() else { return Ok(()) };
    make_folder(parent)?;
    match DirBuilder::new().create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.and_then(|()| File::open(parent)?.sync_all()),
    }
}

/// Others may not read the values.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn patience(queue: &Arc<Queue>) -> Patience {
    Patience::WhileNeeded(Arc::clone(queue))
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::MultiWriter).set_cache_size(CACHE);
    builder
}

/// Refuses a file in which another program keeps its tables.
fn require_ours(database: &impl ReadableDatabase) -> Result<(), Error> {
    let transaction = database.begin_read()?;
    let (mut is_empty, mut is_ours) = (true, false);
    for table in transaction.list_tables()? {
        is_empty = false;
        is_ours |= table.name() == VALUES.name();
    }
    if is_empty || is_ours { Ok(()) } else { Err(foreign()) }
}
