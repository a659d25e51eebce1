//! Files that appear when they are complete.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// A file that is being written. It takes the place of the file at its path when it is complete, so that no reader sees
/// half of it. If it is dropped before, the file at its path stays as it was.
///
/// - A device or a pipe at the path is written to directly.
pub(crate) struct NewFile {
    path: PathBuf,
    /// Where the bytes are until the file is complete.
    unfinished: Option<PathBuf>,
    file: BufWriter<File>,
}

impl NewFile {
    /// Begins a file.
    ///
    /// # Errors
    /// [`Failure::Write`] if the folder does not exist or cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let is_special = fs::metadata(path).is_ok_and(|about| !about.is_file());
        let unfinished = (!is_special).then(|| {
            let mut name = path.as_os_str().to_owned();
            name.push(".unfinished");
            PathBuf::from(name)
        });
        match File::create(unfinished.as_deref().unwrap_or(path)) {
            Ok(file) => Ok(Self { path: path.to_owned(), unfinished, file: BufWriter::new(file) }),
            Err(source) => Err(Failure::Write { path: path.to_owned(), source }),
        }
    }

    /// Writes a part of it by `write`.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Failure> {
        write(&mut self.file).map_err(|source| Failure::Write { path: self.path.clone(), source })
    }

    /// The file is complete, and takes its place.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.write(Write::flush)?;
        if let Some(unfinished) = &self.unfinished {
            fs::rename(unfinished, &self.path).map_err(|source| Failure::Write { path: self.path.clone(), source })?;
        }
        self.unfinished = None;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // The command has failed, and its first failure is the one to report.
        self.unfinished.iter().for_each(|unfinished| drop(fs::remove_file(unfinished)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_when_the_new_one_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("film");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        fs::write(&path, "old").unwrap();
        let begin = || {
            let mut file = NewFile::create(&path).unwrap();
            file.write(|file| file.write_all(b"new")).unwrap();
            file
        };
        drop(begin());
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("old", 1));
        begin().finish().unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("new", 1));
    }

    #[test]
    fn a_device_is_written_to_and_stays() {
        let mut file = NewFile::create(Path::new("/dev/null")).unwrap();
        file.write(|file| file.write_all(b"nothing")).unwrap();
        file.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
