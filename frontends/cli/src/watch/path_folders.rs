//! The folders in which a change can make a path lead elsewhere.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// More links than this on one way lead in a circle, as Linux has it too.
const LINKS: usize = 40;

/// The folder of what a path leads to, those of all links on the way there, and those between it and `root`. Of a folder
/// that is not there, the nearest one that is.
///
/// Folders above are left out: one is seldom exchanged, and some have much in them that changes.
pub(super) fn of(path: &Path, root: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let (mut at, mut left, mut links) = (PathBuf::new(), steps(path), 0);
    while let Some(step) = left.pop() {
        match (Path::new(&step).components().next(), fs::read_link(at.join(&step))) {
            (Some(Component::ParentDir), _) => drop(at.pop()),
            (Some(Component::CurDir), _) => {}
            (_, Ok(target)) if links < LINKS => {
                links += 1;
                folders.insert(at.clone());
                left.extend(steps(&target));
            }
            _ => at.push(step),
        }
    }
    let there = at.ancestors().skip(1).find(|folder| folder.is_dir());
    folders.extend(there.map(Path::to_owned));
    let between = at.ancestors().skip(1).filter(|folder| folder.starts_with(root) && folder.is_dir());
    folders.extend(between.map(Path::to_owned));
    folders
}

/// The names that a path is made of, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_folder_of_a_link_counts_and_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let path = |name: &str| root.join(name);
        for made in ["volume/..1", "elsewhere/deep", "project/src/a"] {
            fs::create_dir_all(path(made)).unwrap();
        }
        symlink("..1", path("volume/..data")).unwrap();
        symlink("..data/f", path("volume/f")).unwrap();
        symlink("../elsewhere/deep", path("volume/link")).unwrap();
        symlink("round", path("round")).unwrap();
        let expect = |file: &str, at: &str, expected: &[&str]| {
            let expected: BTreeSet<_> = expected.iter().map(|name| path(name)).collect();
            assert_eq!(of(&path(file), &path(at)), expected, "{file}");
        };
        expect("volume/f", "volume", &["volume", "volume/..1"]);
        expect("volume/link/g", "volume", &["volume", "elsewhere/deep"]);
        expect("project/src/a/f", "project", &["project", "project/src", "project/src/a"]);
        expect("project/src/a/f", "volume", &["project/src/a"]);
        expect("project/gone/for/good", "project", &["project"]);
        assert!(!of(&path("round"), &root).is_empty());
    }
}
