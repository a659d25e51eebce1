//! The files that builds may depend on: all files in a project's folder except those that programs write there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::fd::AsFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use ignore::{
    DirEntry, WalkBuilder,
    gitignore::{Gitignore, GitignoreBuilder},
};
use nebula_runtime::StoreUrl;

use super::{files::Stat, path_folders};

/// What programs write beside sources, as patterns of `.gitignore`. `[watch] ignore` comes after these patterns, so
/// that `!` there can include such files again.
const GENERATED: [&str; 6] = ["target", "node_modules", "__pycache__", "*~", "\\#*#", "*.log"];

/// The files that builds may depend on.
///
/// - Files and folders whose names begin with a dot are excluded, and so are those that match [`GENERATED`], a
///   `.gitignore` or `[watch] ignore`.
/// - The files that the server writes are excluded: the store, its own output, compiled code, and the folders that
///   functions may write to.
/// - The built files of the project's functions are excluded.
/// - The targets of symbolic links are included, unless the target is a folder that contains the project itself.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    folder: PathBuf,
    excluded: Arc<Exclusions>,
}

/// What is excluded besides the matches of `.gitignore`.
#[derive(Debug)]
struct Exclusions {
    patterns: Gitignore,
    /// The paths of files and folders, without symbolic links.
    paths: BTreeSet<PathBuf>,
    store: StoreUrl,
    /// The files that this process's stdout and stderr are written to.
    output: BTreeSet<(u64, u64)>,
}

/// The result of a walk through the folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: BTreeMap<PathBuf, Stat>,
    /// The folders in which a change may be a change of an input.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Those of the folders whose path goes through a symbolic link, which may lead to another folder later.
    pub(super) linked: BTreeSet<PathBuf>,
}

impl Inputs {
    /// The files in `folder` except those that match `patterns`, are among `paths`, or belong to `store`.
    pub(super) fn of(folder: &Path, patterns: &[String], paths: &BTreeSet<PathBuf>, store: StoreUrl) -> Self {
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let made = GENERATED.map(str::to_owned);
        let excluded = Exclusions {
            patterns: matcher(&folder, made.iter().chain(patterns)),
            paths: paths.iter().flat_map(|path| paths_of(path)).collect(),
            store,
            output: [identity(&io::stdout()), identity(&io::stderr())].into_iter().flatten().collect(),
        };
        Self { folder, excluded: Arc::new(excluded) }
    }

    /// Finds the files that exist now.
    pub(super) fn find(&self) -> Found {
        let excluded = Arc::clone(&self.excluded);
        let walk = WalkBuilder::new(&self.folder)
            // `.ignore` files are ripgrep's. `.gitignore` files are used outside of a repository too.
            .ignore(false)
            .require_git(false)
            .follow_links(true)
            .filter_entry(move |entry| entry.depth() == 0 || !excluded.contains(entry))
            .build();
        let mut found = Found::default();
        // Files that disappear during the walk are skipped, and so are links that lead in a circle.
        walk.flatten().for_each(|entry| self.add(entry, &mut found));
        found
    }

    fn add(&self, entry: DirEntry, found: &mut Found) {
        let (path, is_link) = (entry.path(), entry.path_is_symlink());
        if entry.file_type().is_some_and(|kind| kind.is_dir()) {
            if is_link || path.parent().is_some_and(|folder| found.linked.contains(folder)) {
                found.linked.insert(path.to_owned());
            }
            found.folders.insert(entry.into_path());
        } else if let Some(stat) = Stat::at(path).filter(Stat::is_file) {
            if is_link {
                found.folders.extend(path_folders::of(path, &self.folder));
            }
            if !self.excluded.output.contains(&stat.identity()) {
                found.files.insert(entry.into_path(), stat);
            }
        }
    }

    /// The files that match the patterns; all files if there are no patterns.
    pub(super) fn matching<'a>(&self, patterns: &[String], files: impl Iterator<Item = &'a Path>) -> Vec<&'a Path> {
        let matcher = matcher(&self.folder, patterns.iter());
        let matches =
            |file: &&Path| patterns.is_empty() || matcher.matched_path_or_any_parents(file, false).is_ignore();
        files.filter(|file| file.starts_with(&self.folder)).filter(matches).collect()
    }
}

impl Exclusions {
    fn contains(&self, entry: &DirEntry) -> bool {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = entry.path();
        self.patterns.matched(path, is_folder).is_ignore()
            || self.paths.contains(path)
            || is_folder && StoreUrl::folder(path).is_ok_and(|url| url == self.store)
            || is_folder && entry.path_is_symlink() && self.contains_project(path)
    }

    /// Whether a link leads to a folder that contains the project. That folder has much else in it, and the whole
    /// project again.
    fn contains_project(&self, link: &Path) -> bool {
        fs::canonicalize(link).is_ok_and(|target| self.patterns.path().starts_with(target))
    }
}

/// Invalid patterns were refused when the configuration was read.
fn matcher<'a>(folder: &Path, patterns: impl Iterator<Item = &'a String>) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    for pattern in patterns {
        let _ = builder.add_line(None, pattern);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// The paths under which a walk may find a file: the one in its folder, and the target if the file is a symbolic link.
fn paths_of(file: &Path) -> BTreeSet<PathBuf> {
    let folder = file.parent().and_then(|folder| fs::canonicalize(folder).ok());
    let there = folder.zip(file.file_name()).map(|(folder, name)| folder.join(name));
    [there, fs::canonicalize(file).ok()].into_iter().flatten().collect()
}

fn identity(file: &impl AsFd) -> Option<(u64, u64)> {
    let file = fs::File::from(file.as_fd().try_clone_to_owned().ok()?);
    Some(Stat::of(&file.metadata().ok()?)).filter(Stat::is_file).map(|stat| stat.identity())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Makes a folder with these files, and returns the paths of the inputs in it.
    fn found(files: &[&str], patterns: &[&str], excluded: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for file in files {
            let (path, text) = file.split_once('=').unwrap_or((file, ""));
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text.replace(' ', "\n")).unwrap();
        }
        let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let excluded = excluded.iter().map(|path| root.join(path)).collect();
        let store = StoreUrl::folder(&root.join("store")).unwrap();
        let found = Inputs::of(&root, &patterns, &excluded, store).find();
        found.files.keys().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn generated_files_and_the_files_of_functions_are_no_inputs() {
        let files = [
            "a/node_modules/b/c.js",
            "data/a",
            "dates",
            "f.c",
            "f.c~",
            "f.wasm",
            ".git/HEAD",
            "server.log",
            "src/deep/lib.rs",
            "store/blobs/a",
            "target/release/f",
            "targets/a",
        ];
        assert_eq!(found(&files, &[], &["data", "f.wasm", "gone"]), ["dates", "f.c", "src/deep/lib.rs", "targets/a"]);
    }

    #[test]
    fn gitignore_and_the_setting_exclude_more_and_the_setting_can_include_again() {
        let files =
            [".gitignore=/made *.tmp !keep.tmp", "a.tmp", "keep.tmp", "made/a", "notes/a", "src/a", "src/b.log"];
        assert_eq!(found(&files, &[], &[]), ["keep.tmp", "notes/a", "src/a"]);
        assert_eq!(found(&files, &["/notes/", "!*.log"], &[]), ["keep.tmp", "src/a", "src/b.log"]);
    }

    #[test]
    fn targets_of_links_are_inputs_and_circles_are_not() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(elsewhere.path().join("deep")).unwrap();
        fs::write(elsewhere.path().join("deep/a"), "").unwrap();
        fs::write(root.join("f"), "").unwrap();
        symlink(elsewhere.path(), root.join("link")).unwrap();
        symlink(elsewhere.path().join("deep/a"), root.join("b")).unwrap();
        symlink(&root, root.join("link/deep/round")).unwrap();
        symlink("/", root.join("all")).unwrap();
        let found = Inputs::of(&root, &[], &BTreeSet::new(), StoreUrl::MEMORY).find();
        assert_eq!(found.files.into_keys().collect::<Vec<_>>(), ["b", "f", "link/deep/a"].map(|path| root.join(path)));
        assert_eq!(found.linked, ["link", "link/deep"].map(|path| root.join(path)).into());
        assert!(found.folders.contains(&fs::canonicalize(elsewhere.path()).unwrap().join("deep")));
    }

    #[test]
    fn a_build_depends_on_the_files_that_match_or_on_all() {
        let inputs = Inputs::of(Path::new("/nowhere"), &[], &BTreeSet::new(), StoreUrl::MEMORY);
        let files = ["/nowhere/a.c", "/nowhere/src/b.rs", "/elsewhere/c"].map(Path::new);
        let matching = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            inputs.matching(&patterns, files.into_iter())
        };
        assert_eq!(matching(&[]), files[..2]);
        assert_eq!(matching(&["src/"]), files[1..2]);
        assert_eq!(matching(&["*.c"]), files[..1]);
    }
}
