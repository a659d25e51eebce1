//! Runs a target on its corpus, and on changes of it.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use crate::{mutator::Mutator, targets::Target};

/// The inputs that the repository keeps for a target, in the order of their names.
///
/// # Panics
/// There are none, or they cannot be read.
pub fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Runs a target on the files of its corpus and on changes of them. An input is in a file of `folder` while the target
/// runs, and stays there if the target fails, hangs or ends the process.
///
/// # Panics
/// The target fails.
pub fn replay(target: &Target, folder: &Path) {
    let inputs = corpus(target);
    let mut mutator = Mutator::new(inputs.clone());
    let changes = (0..target.changes).map(|_| mutator.next());
    for input in inputs.into_iter().chain(changes) {
        let _kept = Kept::new(folder.join(format!("fuzz-{}", target.name)), &input);
        (target.check)(&input);
    }
}

/// A file with an input, which is removed unless the thread panics.
struct Kept(PathBuf);

impl Kept {
    fn new(path: PathBuf, input: &[u8]) -> Self {
        fs::write(&path, input).unwrap();
        Self(path)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        match thread::panicking() {
            true => eprintln!("the input is in {}; mend its cause, and add the file to the corpus", self.0.display()),
            false => drop(fs::remove_file(&self.0)),
        }
    }
}
