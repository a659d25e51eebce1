//! Compiled code on disk, so that nothing is compiled twice on a machine.
//!
//! Compiled code is run unchecked, so an entry is loaded only if Nebula wrote it. The folder is private to this
//! user, and each entry ends with a keyed BLAKE3 MAC over the module's digest, the engine's fingerprint and the code.
//! An entry without the right MAC is discarded, and the module is compiled again.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{function::Digest, store::obstacle::explained};

const KEY_SIZE: usize = blake3::KEY_LEN;
const MAC_SIZE: u64 = blake3::OUT_LEN as u64;

/// Compiled code of one engine, in a folder of `<engine fingerprint>/<digest>.cwasm`.
#[derive(Debug)]
pub(crate) struct CodeCache {
    folder: PathBuf,
    fingerprint: String,
    key: [u8; KEY_SIZE],
}

impl CodeCache {
    /// Opens the cache in `root`, for code of the engine with this fingerprint.
    ///
    /// # Errors
    /// The folder cannot be made, or belongs to another user.
    pub(crate) fn open(root: &Path, fingerprint: String) -> io::Result<Self> {
        make_private_folder(root)?;
        Ok(Self { folder: root.join(&fingerprint), fingerprint, key: read_or_make_key(&root.join("key"))? })
    }

    /// The file with the code of the module `digest`, if there is one and Nebula wrote it. A file with a wrong MAC is
    /// removed. A file that cannot be read now, for example because descriptors are short, stays.
    pub(crate) fn get(&self, digest: &Digest) -> Option<PathBuf> {
        let path = self.path(digest);
        match self.is_ours(&path, digest) {
            Ok(true) => return Some(path),
            Ok(false) => {
                tracing::warn!(path = %path.display(), "discarding compiled code that is corrupt or not ours");
                // A file that cannot be removed will be replaced: `put` renames over it.
                drop(fs::remove_file(&path));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "failed to read compiled code; compiling again")
            }
        }
        None
    }

    /// Keeps the code of the module `digest`. A reader never sees a part of it.
    pub(crate) fn put(&self, digest: &Digest, code: &[u8]) -> io::Result<PathBuf> {
        make_private_folder(&self.folder)?;
        let path = self.path(digest);
        let unfinished = self.folder.join(format!("{}.{}.{:x}", digest.hex(), std::process::id(), fastrand::u64(..)));
        let mut mac = self.mac(digest);
        mac.update(code);
        let written = write_private(&unfinished, &[code, mac.finalize().as_bytes()])
            .and_then(|()| fs::rename(&unfinished, &path));
        written.inspect_err(|_| drop(fs::remove_file(&unfinished)))?;
        Ok(path)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.cwasm", digest.hex()))
    }

    fn mac(&self, digest: &Digest) -> blake3::Hasher {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        mac.update(digest.as_bytes()).update(self.fingerprint.as_bytes());
        mac
    }

    fn is_ours(&self, path: &Path, digest: &Digest) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let Some(size) = metadata.len().checked_sub(MAC_SIZE) else {
            return Ok(false);
        };
        note_use(&file, &metadata);
        file.seek(SeekFrom::Start(size))?;
        let mut expected = [0; blake3::OUT_LEN];
        file.read_exact(&mut expected)?;
        file.rewind()?;
        let mut mac = self.mac(digest);
        mac.update_reader(file.take(size))?;
        // `blake3::Hash` compares in constant time.
        Ok(mac.finalize() == blake3::Hash::from_bytes(expected))
    }
}

/// Notes that an entry is used, in the time of its file: entries that are not used go first. Once an hour is enough to tell
/// them apart.
fn note_use(file: &File, metadata: &Metadata) {
    const SELDOM: Duration = Duration::from_secs(3600);

    if metadata.modified().is_ok_and(|used| used.elapsed().is_ok_and(|age| age > SELDOM)) {
        // A disk that is read-only keeps the older time.
        drop(file.set_modified(SystemTime::now()));
    }
}

fn make_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| explained(path, error))?;
    check_private(path)
}

#[cfg(unix)]
fn check_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{} is not a folder of this user", path.display()),
        ));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The key of this folder's MACs. A key of the wrong length is replaced; the entries that it signed are then discarded.
fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_SIZE]> {
    if let Ok(Ok(key)) = fs::read(path).map(<[u8; KEY_SIZE]>::try_from) {
        return Ok(key);
    }
    let mut key = [0; KEY_SIZE];
    getrandom::fill(&mut key)?;
    let unfinished = path.with_extension(format!("{}.{:x}", std::process::id(), fastrand::u64(..)));
    write_private(&unfinished, &[&key])?;
    fs::rename(&unfinished, path)?;
    // Another process may have renamed its own key over ours. All processes use the key that is there now.
    <[u8; KEY_SIZE]>::try_from(fs::read(path)?).map_err(|_| {
        io::Error::other(format!("the code cache's key {} has the wrong length; remove it", path.display()))
    })
}

fn write_private(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(root: &Path) -> CodeCache {
        CodeCache::open(root, "engine".to_owned()).unwrap()
    }

    fn is_kept(path: &Path, digest: &Digest, cache: &CodeCache) -> bool {
        let kept = cache.get(digest).is_some();
        assert_eq!(kept, path.exists(), "an entry that is not returned is removed");
        kept
    }

    #[test]
    fn an_entry_is_found_again_by_the_next_process() {
        let root = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"module");
        let path = cache(root.path()).put(&digest, b"code").unwrap();
        assert_eq!(cache(root.path()).get(&digest), Some(path));
        assert_eq!(cache(root.path()).get(&Digest::of(b"other")), None);
    }

    #[test]
    fn an_entry_that_the_cache_did_not_write_is_discarded() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path());
        let digest = Digest::of(b"module");
        let other = cache.put(&Digest::of(b"other"), b"code").unwrap();
        let path = cache.put(&digest, b"code").unwrap();
        let whole = fs::read(&path).unwrap();
        let flipped = [&[whole[0] ^ 1], &whole[1..]].concat();
        for bytes in [&flipped[..], &whole[..whole.len() - 1], b"", b"code", &fs::read(other).unwrap()] {
            fs::write(&path, bytes).unwrap();
            assert!(!is_kept(&path, &digest, &cache));
        }
        fs::write(&path, whole).unwrap();
        assert!(is_kept(&path, &digest, &cache));
    }

    #[test]
    fn an_entry_that_is_used_is_as_young_as_a_new_one() {
        let root = tempfile::tempdir().unwrap();
        let (cache, digest, old) = (cache(root.path()), Digest::of(b"module"), SystemTime::UNIX_EPOCH);
        let path = cache.put(&digest, b"code").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert_eq!(cache.get(&digest).as_ref(), Some(&path));
        assert!(fs::metadata(path).unwrap().modified().unwrap() > old);
    }

    #[cfg(unix)]
    #[test]
    fn an_entry_that_cannot_be_read_is_not_removed() {
        let root = tempfile::tempdir().unwrap();
        let cache = cache(root.path());
        let digest = Digest::of(b"module");
        let path = cache.put(&digest, b"code").unwrap();
        fs::remove_file(&path).unwrap();
        // A link to itself, which not even root can open.
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert_eq!(cache.get(&digest), None);
        assert!(path.is_symlink());
        cache.put(&digest, b"code").unwrap();
        assert_eq!(cache.get(&digest), Some(path));
    }

    #[test]
    fn an_entry_of_another_engine_or_key_is_discarded() {
        let root = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"module");
        let path = cache(root.path()).put(&digest, b"code").unwrap();
        let other_engine = CodeCache::open(root.path(), "another".to_owned()).unwrap();
        other_engine.put(&digest, b"code").unwrap();
        fs::copy(&path, other_engine.path(&digest)).unwrap();
        assert_eq!(other_engine.get(&digest), None);
        fs::write(root.path().join("key"), [7; KEY_SIZE]).unwrap();
        assert!(!is_kept(&path, &digest, &cache(root.path())));
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_made_private() {
        use std::os::unix::fs::PermissionsExt as _;

        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
        cache(root.path());
        assert_eq!(fs::metadata(root.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
