//! A folder with a `nebula.toml`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use toml::Table;

use crate::guest::Function;

/// A folder with a `nebula.toml` and the files that its functions may read. Dropping it removes the folder.
#[derive(Debug)]
pub struct Project(TempDir);

impl Project {
    /// Makes a project with these functions.
    pub fn new<'a>(functions: impl IntoIterator<Item = &'a Function>) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        let mut entries = Table::new();
        for function in functions {
            assert!(function.source.exists(), "{} does not exist; `just guests` builds it", function.source.display());
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

    /// A path in the project's folder.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path().join(path)
    }

    /// Writes a file, and makes its parent folders.
    pub fn write(&self, path: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
}
