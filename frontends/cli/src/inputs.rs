//! The files that a build may depend on: all that lie in a project's folder, but for what programs put there.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsStr,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

use nebula_runtime::StoreUrl;

/// The files that a build may depend on.
///
/// - `target`, `node_modules`, `__pycache__`, and whatever begins with a dot, are not among them.
/// - Neither is the store, nor what the project's functions are made into or work on.
#[derive(Debug)]
pub(crate) struct Inputs {
    folder: PathBuf,
    store: StoreUrl,
    others: BTreeSet<PathBuf>,
    /// What was in the files that have changed so far.
    seen: HashMap<PathBuf, Option<u64>>,
}

impl Inputs {
    /// The files in `folder`, a path without links.
    pub(crate) fn of(folder: PathBuf, store: StoreUrl) -> Self {
        Self { folder, store, others: BTreeSet::new(), seen: HashMap::new() }
    }

    /// Leaves out these files and folders from now on, and no others. They are paths without links.
    pub(crate) fn leave_out(&mut self, others: BTreeSet<PathBuf>) {
        self.others = others;
    }

    /// Whether this path is one of an input.
    pub(crate) fn contain(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.folder) else { return false };
        let is_store = |path: &Path| StoreUrl::folder(path).is_ok_and(|url| url == self.store);
        !inside.iter().any(is_made) && !path.ancestors().any(|path| self.others.contains(path) || is_store(path))
    }

    /// The folders that inputs are in. Those behind links are not: links can lead in circles.
    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        let (mut found, mut open) = (BTreeSet::new(), vec![self.folder.clone()]);
        while let Some(folder) = open.pop() {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(folders.map(|entry| entry.path()).filter(|path| self.contain(path)));
            found.insert(folder);
        }
        found
    }

    /// Whether one of these paths is of an input that is not what it was when it changed before. A build that writes the
    /// same file each time would otherwise be the cause of the next.
    pub(crate) fn changed<'a>(&mut self, paths: impl IntoIterator<Item = &'a PathBuf>) -> bool {
        let mut changed = false;
        for path in paths {
            if self.contain(path) {
                let content = content(path);
                changed |= self.seen.insert(path.clone(), content) != Some(content);
            }
        }
        changed
    }
}

fn is_made(name: &OsStr) -> bool {
    ["target", "node_modules", "__pycache__"].iter().any(|made| name == *made)
        || name.as_encoded_bytes().starts_with(b".")
}

/// What stands for a file's content. A file that is not there has none, and neither has a folder.
fn content(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(folder: &Path) -> Inputs {
        let mut inputs = Inputs::of(folder.to_owned(), StoreUrl::folder(&folder.join("store")).unwrap());
        inputs.leave_out([folder.join("f.wasm"), folder.join("data")].into());
        inputs
    }

    #[test]
    fn what_programs_make_and_what_functions_are_or_work_on_is_no_input() {
        let inputs = inputs(Path::new("/project"));
        for input in ["/project/f.c", "/project/src/lib.rs", "/project/targets/a", "/project/dates"] {
            assert!(inputs.contain(Path::new(input)), "{input}");
        }
        let others = ["f.wasm", "data/a", "target/release/f", "a/node_modules/b/c.js", ".git/HEAD", "store/blobs/a"];
        for other in others {
            assert!(!inputs.contain(&Path::new("/project").join(other)), "{other}");
        }
        assert!(!inputs.contain(Path::new("/elsewhere/f.c")));
    }

    #[test]
    fn the_folders_of_inputs_are_found_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        for made in ["src/deep/er", "target/release", "data/sets", ".git/objects", "web/node_modules/a"] {
            fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        let expected = ["", "src", "src/deep", "src/deep/er", "web"].map(|path| folder.path().join(path));
        let found = inputs(folder.path()).folders();
        assert_eq!(found.iter().map(|path| path.join("")).collect::<Vec<_>>(), expected.map(|path| path.join("")));
    }

    #[test]
    fn a_file_that_is_written_again_as_it_was_has_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f.c");
        let mut inputs = inputs(folder.path());
        for (text, changed) in [("a", true), ("a", false), ("b", true), ("a", true)] {
            fs::write(&file, text).unwrap();
            assert_eq!(inputs.changed([&file]), changed, "{text}");
        }
        fs::remove_file(&file).unwrap();
        assert!(inputs.changed([&file]));
        fs::write(folder.path().join("f.wasm"), "made").unwrap();
        assert!(!inputs.changed([&folder.path().join("f.wasm")]));
    }
}
