//! The folders in which a change can make a path lead to another file.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// A path with more symbolic links than this leads in a circle. Linux has the same limit.
const LINKS: usize = 40;

/// The folder of the file that a path leads to, the folders of all symbolic links in the path, and the folders between
/// the file and `root`. For a folder that does not exist, its nearest parent that does.
///
/// Folders above `root` are left out: they are seldom replaced, and some have much in them that changes.
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

/// The components of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|component| component.as_os_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_folders_of_links_and_of_the_file_count() {
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
