//! The files that builds may depend on: all that lie in a project's folder, but for what programs put there.

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

/// What programs put beside sources, as patterns of `.gitignore`. `[watch] ignore` comes after these, so that `!` there takes
/// one back.
const MADE: [&str; 6] = ["target", "node_modules", "__pycache__", "*~", "\\#*#", "*.log"];

/// The files that builds may depend on.
///
/// - What begins with a dot is not among them, nor what [`MADE`], a `.gitignore` or `[watch] ignore` leaves out.
/// - Neither is what the server writes: the store, its own output, compiled code, and what functions may write to.
/// - Neither is what the project's functions are made into.
/// - What links lead to is among them, but for folders that the project itself is in.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    folder: PathBuf,
    left_out: Arc<LeftOut>,
}

/// What is left out beyond `.gitignore`.
#[derive(Debug)]
struct LeftOut {
    patterns: Gitignore,
    /// Files and folders, without links on the way to them.
    paths: BTreeSet<PathBuf>,
    store: StoreUrl,
    /// This process's output, wherever it goes.
    output: BTreeSet<(u64, u64)>,
}

/// What a walk through the folder finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: BTreeMap<PathBuf, Stat>,
    /// The folders in which a change may be one of an input.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Those of them that a link leads to, by that link: it may lead to another one.
    pub(super) linked: BTreeSet<PathBuf>,
}

impl Inputs {
    /// The files in `folder`, but for those that match `patterns`, are among `paths`, or belong to `store`.
    pub(super) fn of(folder: &Path, patterns: &[String], paths: &BTreeSet<PathBuf>, store: StoreUrl) -> Self {
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let made = MADE.map(str::to_owned);
        let left_out = LeftOut {
            patterns: matcher(&folder, made.iter().chain(patterns)),
            paths: paths.iter().flat_map(|path| names(path)).collect(),
            store,
            output: [identity(&io::stdout()), identity(&io::stderr())].into_iter().flatten().collect(),
        };
        Self { folder, left_out: Arc::new(left_out) }
    }

    /// Finds what is there now.
    pub(super) fn find(&self) -> Found {
        let left_out = Arc::clone(&self.left_out);
        let walk = WalkBuilder::new(&self.folder)
            // Those of ripgrep. Git's own are left as they are, and hold outside of a repository too.
            .ignore(false)
            .require_git(false)
            .follow_links(true)
            .filter_entry(move |entry| entry.depth() == 0 || !left_out.contains(entry))
            .build();
        let mut found = Found::default();
        // What goes away meanwhile is not there, and a link in a circle is left out.
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
            if !self.left_out.output.contains(&stat.identity()) {
                found.files.insert(entry.into_path(), stat);
            }
        }
    }

    /// Those of these files that match patterns; where there are none, all.
    pub(super) fn matching<'a>(&self, patterns: &[String], files: impl Iterator<Item = &'a Path>) -> Vec<&'a Path> {
        let matcher = matcher(&self.folder, patterns.iter());
        let matches =
            |file: &&Path| patterns.is_empty() || matcher.matched_path_or_any_parents(file, false).is_ignore();
        files.filter(|file| file.starts_with(&self.folder)).filter(matches).collect()
    }
}

impl LeftOut {
    fn contains(&self, entry: &DirEntry) -> bool {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let path = entry.path();
        self.patterns.matched(path, is_folder).is_ignore()
            || self.paths.contains(path)
            || is_folder && StoreUrl::folder(path).is_ok_and(|url| url == self.store)
            || is_folder && entry.path_is_symlink() && self.leads_out(path)
    }

    /// Whether a link leads to a folder that the project is in: that has all of the project in it once more, and much else.
    fn leads_out(&self, link: &Path) -> bool {
        fs::canonicalize(link).is_ok_and(|target| self.patterns.path().starts_with(target))
    }
}

/// A pattern that is none was refused when the configuration was read.
fn matcher<'a>(folder: &Path, patterns: impl Iterator<Item = &'a String>) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    for pattern in patterns {
        let _ = builder.add_line(None, pattern);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// Under which paths a file may be found: in its folder, and where it is a link, as what that leads to.
fn names(file: &Path) -> BTreeSet<PathBuf> {
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

    /// Finds what there is in a folder with these files, as paths in it.
    fn found(files: &[&str], patterns: &[&str], left_out: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for file in files {
            let (path, text) = file.split_once('=').unwrap_or((file, ""));
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text.replace(' ', "\n")).unwrap();
        }
        let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let left_out = left_out.iter().map(|path| root.join(path)).collect();
        let store = StoreUrl::folder(&root.join("store")).unwrap();
        let found = Inputs::of(&root, &patterns, &left_out, store).find();
        found.files.keys().map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_programs_make_and_what_functions_are_or_work_on_is_no_input() {
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
    fn gitignore_and_the_setting_leave_out_more_and_the_setting_takes_back() {
        let files =
            [".gitignore=/made *.tmp !keep.tmp", "a.tmp", "keep.tmp", "made/a", "notes/a", "src/a", "src/b.log"];
        assert_eq!(found(&files, &[], &[]), ["keep.tmp", "notes/a", "src/a"]);
        assert_eq!(found(&files, &["/notes/", "!*.log"], &[]), ["keep.tmp", "src/a", "src/b.log"]);
    }

    #[test]
    fn what_links_lead_to_is_an_input_and_circles_are_none() {
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
