//! A folder with a `nebula.toml` in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use toml::Table;

use crate::guest::Function;

/// A folder with a `nebula.toml` in it, and the files that its functions may see. Gone when it is dropped.
#[derive(Debug)]
pub struct Project(TempDir);

impl Project {
    /// A project of these functions.
    pub fn new<'a>(functions: impl IntoIterator<Item = &'a Function>) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        let mut entries = Table::new();
        for function in functions {
            assert!(function.source.exists(), "{} is not there; `just guests` builds it", function.source.display());
            let mut entry = function.config.clone();
            entry.insert("source".to_owned(), function.source.to_str().unwrap().into());
            entries.insert(function.name.clone(), entry.into());
            function.files.iter().for_each(|(path, text)| project.write(path, text));
        }
        project.write("nebula.toml", Table::from_iter([("functions".to_owned(), entries.into())]).to_string());
        project
    }

    /// The project's folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in the project.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path().join(path)
    }

    /// Writes a file, and the folders on the way to it.
    pub fn write(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}
