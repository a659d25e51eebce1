//! `serve --watch`: files that change are published again.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nebula_http::Routes;
use nebula_runtime::{Runtime, StoreUrl};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    config::{Config, FunctionSource},
    failure::Failure,
    inputs::Inputs,
    print,
    publish::{build, publish_source},
};

/// Files are left alone until nothing has changed for this long: compilers and editors write in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// How often a folder that is not there is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// Publishes the functions of a configuration again when it or their files change, and builds those files when anything else
/// in the configuration's folder does.
///
/// - A file that cannot be built or published, or a configuration that cannot be read, is logged; what was published stays.
/// - Folders are watched and not files: programs replace files, and a watch would stay with the old one.
pub(crate) struct Watch {
    path: PathBuf,
    config: Config,
    /// The server's, which follow the configuration.
    routes: Routes,
    /// The files whose changes matter.
    files: BTreeSet<PathBuf>,
    /// The files that builds may depend on.
    inputs: Inputs,
    /// The folders that matter: of the files, and of what builds may depend on.
    wanted: BTreeSet<PathBuf>,
    /// Those of them that are watched.
    folders: BTreeSet<PathBuf>,
    watcher: RecommendedWatcher,
    changes: mpsc::UnboundedReceiver<PathBuf>,
}

impl Watch {
    /// Starts to watch the configuration that was read from `path`. What is written to `store` is no change.
    ///
    /// # Errors
    /// Where the system has no watch to spare.
    pub(crate) fn start(path: PathBuf, config: Config, store: StoreUrl, routes: Routes) -> Result<Self, Failure> {
        let (sender, changes) = mpsc::unbounded_channel();
        let notice = move |event: notify::Result<Event>| match event {
            // Reading a file is an event too, and publishing reads.
            Ok(event) if event.kind.is_access() => {}
            // Nobody listens any more when the server stops.
            Ok(event) => event.paths.into_iter().for_each(|path| drop(sender.send(path))),
            Err(error) => tracing::warn!(%error, "failed to see whether files changed"),
        };
        let watcher = notify::recommended_watcher(notice);
        let watcher = watcher.map_err(|source| Failure::Watch { path: path.clone(), source })?;
        let inputs = Inputs::of(folder_of(&watched(&path)), store);
        let (files, wanted, folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut watch = Self { path, config, routes, files, inputs, wanted, folders, watcher, changes };
        watch.refresh();
        Ok(watch)
    }

    /// Publishes what changes, for ever.
    pub(crate) async fn run(mut self, runtime: Arc<Runtime>) {
        loop {
            let changed = self.next_changes().await;
            let before = self.config.functions.clone();
            let reloaded = !names(&self.path).is_disjoint(&changed) && self.reload();
            let stale = self.builds() && self.inputs.changed(&changed);
            self.refresh();
            let mut published = BTreeSet::new();
            for function in &self.config.functions {
                let made_otherwise = || !before.iter().any(|before| before.is_made_like(function));
                let build = stale || !function.source.exists() || reloaded && made_otherwise();
                if build && function.build.is_some() {
                    build_and_publish(&runtime, function).await;
                } else if reloaded
                    || !names(&function.source).is_disjoint(&changed)
                    // Linked to one that has just changed: those stand before it.
                    || function.config.imports.values().any(|import| published.contains(import.name()))
                {
                    publish(&runtime, function).await;
                } else {
                    continue;
                }
                published.insert(&function.name);
            }
        }
    }

    /// Whether there is anything to build.
    fn builds(&self) -> bool {
        self.config.functions.iter().any(|function| function.build.is_some())
    }

    /// The files that changed, once all have been quiet.
    async fn next_changes(&mut self) -> BTreeSet<PathBuf> {
        let mut changed = BTreeSet::new();
        loop {
            let patience = if changed.is_empty() { RETRY } else { QUIET };
            match timeout(patience, self.changes.recv()).await {
                Ok(path) => changed.extend(path.filter(|path| self.matters(path))),
                Err(_) if !changed.is_empty() => return changed,
                Err(_) => changed.extend(self.follow()),
            }
        }
    }

    fn matters(&self, path: &Path) -> bool {
        self.files.contains(path) || self.builds() && self.inputs.contain(path)
    }

    /// Finds out which files matter, and watches their folders.
    fn refresh(&mut self) {
        let sources = self.config.functions.iter().map(|function| function.source.as_path());
        self.files = sources.chain([self.path.as_path()]).flat_map(names).collect();
        // What functions may write is no source of theirs.
        let granted = self.config.functions.iter().flat_map(|function| &function.config.dirs);
        let granted = granted.filter_map(|dir| fs::canonicalize(&dir.host).ok());
        self.inputs.leave_out(self.files.iter().cloned().chain(granted).collect());
        self.wanted = self.files.iter().map(|file| folder_of(file)).collect();
        if self.builds() {
            self.wanted.extend(self.inputs.folders());
        }
        self.follow();
    }

    /// Watches the folders that are not watched yet. Returns the files in those that now are.
    fn follow(&mut self) -> Vec<PathBuf> {
        // The watch of a folder goes with it, also when another takes its place a moment later; this sees most of it.
        self.folders.retain(|folder| folder.exists());
        let missing: BTreeSet<_> = self.wanted.difference(&self.folders).cloned().collect();
        let watch = |folder: &PathBuf| self.watcher.watch(folder, RecursiveMode::NonRecursive).is_ok();
        let found: BTreeSet<_> = missing.into_iter().filter(watch).collect();
        let files = self.files.iter().filter(|file| file.parent().is_some_and(|folder| found.contains(folder)));
        let files = files.cloned().collect();
        self.folders.extend(found);
        files
    }

    /// Reads the configuration again. Returns whether it could be read.
    fn reload(&mut self) -> bool {
        let config = match Config::read(&self.path) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!("the configuration stays as it is: {}", print::chain(&error));
                return false;
            }
        };
        let server = |config: &Config| (config.limits, config.ceilings, config.concurrency);
        if server(&config) != server(&self.config) {
            tracing::warn!("[limits], [ceilings] and [server] take effect when the server is started again");
        }
        self.routes.replace(config.routes.clone());
        self.config = config;
        true
    }
}

async fn build_and_publish(runtime: &Runtime, function: &FunctionSource) {
    match build(function).await {
        Ok(()) => publish(runtime, function).await,
        Err(failure) => tracing::error!("{} stays as it is: {}", function.name, print::chain(&failure)),
    }
}

async fn publish(runtime: &Runtime, function: &FunctionSource) {
    if let Err(failure) = publish_source(runtime, function).await {
        tracing::error!("{} stays as it is: {}", function.name, print::chain(&failure));
    }
}

/// The paths under which changes of a file are told: in its folder, and where it is a link, in that of what it links to.
fn names(file: &Path) -> BTreeSet<PathBuf> {
    [Some(watched(file)), fs::canonicalize(file).ok()].into_iter().flatten().collect()
}

/// The file's name in its folder, without links on the way there.
fn watched(file: &Path) -> PathBuf {
    let folder = folder_of(file);
    let folder = fs::canonicalize(&folder).unwrap_or(folder);
    folder.join(file.file_name().unwrap_or_default())
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Site {
        folder: tempfile::TempDir,
        watch: Watch,
    }

    impl Site {
        /// A watch of a configuration of the function `f` in a file of this name.
        fn of(source: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("nebula.toml");
            fs::write(&path, format!("[functions.f]\nsource = {source:?}\n")).unwrap();
            let watch =
                Watch::start(path.clone(), Config::read(&path).unwrap(), StoreUrl::MEMORY, Routes::default()).unwrap();
            Self { folder, watch }
        }

        fn path(&self, name: &str) -> PathBuf {
            fs::canonicalize(self.folder.path()).unwrap().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        async fn changes(&mut self) -> Vec<PathBuf> {
            self.watch.next_changes().await.into_iter().collect()
        }
    }

    #[tokio::test]
    async fn a_file_that_is_written_or_replaced_has_changed_and_its_neighbours_have_not() {
        let mut site = Site::of("f.wat");
        site.write("neighbour", "");
        site.write("f.wat", "(module)");
        assert_eq!(site.changes().await, [site.path("f.wat")]);

        site.write("f.new", "(module)");
        fs::rename(site.path("f.new"), site.path("f.wat")).unwrap();
        assert_eq!(site.changes().await, [site.path("f.wat")]);
    }

    #[tokio::test]
    async fn a_folder_that_is_made_later_is_found() {
        let mut site = Site::of("build/f.wat");
        fs::create_dir(site.path("build")).unwrap();
        site.write("build/f.wat", "(module)");
        let found = site.changes().await;
        // The path was not known without links while the folder was not there.
        assert_eq!(
            found.iter().map(|path| fs::canonicalize(path).unwrap()).collect::<Vec<_>>(),
            [site.path("build/f.wat")]
        );
    }

    #[tokio::test]
    async fn what_a_link_leads_to_is_watched_too() {
        let elsewhere = tempfile::tempdir().unwrap();
        let target = fs::canonicalize(elsewhere.path()).unwrap().join("target.wat");
        fs::write(&target, "(module)").unwrap();
        let mut site = Site::of("f.wat");
        symlink(&target, site.path("f.wat")).unwrap();
        assert_eq!(site.changes().await, [site.path("f.wat")]);
        site.watch.refresh();
        fs::write(&target, "(module )").unwrap();
        assert_eq!(site.changes().await, [target]);
    }

    #[tokio::test]
    async fn a_broken_configuration_leaves_the_one_before() {
        let mut site = Site::of("f.wat");
        let before = site.watch.config.clone();
        site.write("nebula.toml", "[functions");
        assert_eq!(site.changes().await, [site.path("nebula.toml")]);
        assert!(!site.watch.reload());
        assert_eq!(site.watch.config, before);
        site.write("nebula.toml", "");
        assert!(site.watch.reload());
        assert_eq!(site.watch.config, Config::default());
    }
}
