//! `serve --watch`: files that change are published again.
//!
//! [`FileWatcher`] checks files after a notification or after some time, and returns those whose content has changed.
//! [`Builds`] and [`Publishes`] decide which builds and publishes follow from a change. [`Watch`] runs these, as many
//! as possible at the same time.

mod builds;
mod files;
mod inputs;
mod notifications;
mod path_folders;
mod publishes;
mod watcher;

use std::{
    collections::BTreeSet,
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use nebula_http::Routes;
use nebula_runtime::{FunctionName, Runtime, StoreUrl};
use tokio::task::{JoinHandle, block_in_place};

use crate::{
    build::{Build, BuildError, Slots},
    config::{Config, ConfigError, FunctionSource},
    failure::Failure,
    print,
    publish::{label, publish_source},
};
use builds::Builds;
use inputs::Inputs;
use publishes::Publishes;
use watcher::{FileWatcher, WatchTargets};

/// The server starts after this time, even if builds are still running. Their functions are published later.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to watch.
pub(crate) struct WatchConfig {
    /// The absolute path of the configuration.
    pub(crate) path: PathBuf,
    /// The configuration, as it was last read.
    pub(crate) config: Config,
    /// The store. Changes in its folder are ignored.
    pub(crate) store: StoreUrl,
    /// The folder of compiled code. Changes in it are ignored.
    pub(crate) cache: Option<PathBuf>,
    /// How often files are checked without a notification, if the command line says so.
    pub(crate) poll: Option<Duration>,
    /// The routes of the server, which are updated when the configuration changes.
    pub(crate) routes: Routes,
}

/// Publishes the functions of a configuration, and publishes them again when the configuration or their files change.
/// When another file in the configuration's folder changes, their files are built again.
///
/// - If a file cannot be built or published, or the configuration cannot be read, that is logged, and the published
///   version stays.
/// - Functions are built and published at the same time, but each after the functions that it imports. No function
///   waits for the build of another one.
pub(crate) struct Watch {
    watched: WatchConfig,
    /// Why the configuration cannot be read, if it cannot.
    broken: Option<String>,
    runtime: Arc<Runtime>,
    watcher: FileWatcher,
    builds: Builds,
    publishes: Publishes,
    build_slots: Slots,
    publish_slots: Slots,
    work: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
}

/// Work that has ended.
enum Done {
    Built(Build, Result<(), Arc<BuildError>>),
    Published(FunctionName, Option<bool>),
    /// The work was cancelled, or it panicked, which is logged.
    Nothing,
}

impl Watch {
    /// Starts to watch, and publishes all functions. Returns when they are published, but does not wait for long
    /// builds.
    ///
    /// It needs Tokio's multi-threaded runtime, because it reads files on the current thread.
    pub(crate) async fn start(watched: WatchConfig, runtime: Arc<Runtime>) -> Self {
        let mut watch = Self {
            // Before the files are read for the first time, so that no change between the two is missed.
            watcher: block_in_place(|| FileWatcher::of(watched.targets())),
            watched,
            broken: None,
            runtime,
            builds: Builds::default(),
            publishes: Publishes::default(),
            build_slots: Slots::new(),
            publish_slots: Slots::new(),
            work: FuturesUnordered::new(),
        };
        watch.follow(&[]);
        // The configuration may have changed after it was read and before it was watched.
        watch.reload();
        watch.start_what_is_due();
        let patience = Instant::now() + PATIENCE;
        while watch.publishes.are_running() || watch.builds.are_running() && Instant::now() < patience {
            watch.step().await;
        }
        watch
    }

    /// Publishes every change, forever.
    pub(crate) async fn run(mut self) {
        loop {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let (next, urgent) = (self.builds.next(), self.builds.are_ending());
        tokio::select! {
            Some(done) = self.work.next(), if !self.work.is_empty() => self.take(done),
            () = self.watcher.due(next, urgent) => block_in_place(|| self.look()),
        }
        self.start_what_is_due();
    }

    fn look(&mut self) {
        let seen = self.watcher.look(self.builds.are_ending());
        if seen.named.contains(&self.watched.path) || self.broken.is_some() {
            self.reload();
        }
        let has_changed =
            |function: &&FunctionSource| function.source.file().is_some_and(|file| seen.named.contains(file));
        for function in self.watched.config.functions.iter().filter(has_changed) {
            match &function.build {
                Some(build) if function.source.is_missing() && !self.builds.is_under_way(build) => {
                    self.builds.want(build)
                }
                // The function is published when the build ends.
                Some(build) if self.builds.is_under_way(build) => {}
                _ => self.publishes.want(&function.name),
            }
        }
        self.builds.changed(|patterns| self.watcher.matching(patterns, &seen.inputs));
        self.builds.close(self.watcher.last_look(), |look, until| self.watcher.written(look, until));
    }

    /// Reads the configuration again.
    fn reload(&mut self) {
        match Config::read(&self.watched.path) {
            Ok(config) => {
                self.broken = None;
                let before = std::mem::replace(&mut self.watched.config, config);
                self.warn_of_changes(&before);
                self.watched.routes.replace(self.watched.config.routes.clone());
                self.watcher.follow(self.watched.targets());
                self.follow(&before.functions);
            }
            Err(error) => self.keep_configuration(&error),
        }
    }

    /// Logs once why the configuration cannot be read. It is read again with each check, as the reason may lie outside
    /// of the file.
    fn keep_configuration(&mut self, error: &ConfigError) {
        let reason = print::chain(error);
        if self.broken.as_ref() != Some(&reason) {
            tracing::error!("the configuration stays as it is: {reason}");
            self.broken = Some(reason);
        }
    }

    fn warn_of_changes(&self, before: &Config) {
        let config = &self.watched.config;
        let server = |config: &Config| {
            let Config { limits, ceilings, concurrency, client_rate, cors, .. } = config.clone();
            let Config { compress, result_cache, trusted_proxies, admin, trust, .. } = config.clone();
            (
                (limits, ceilings, concurrency, client_rate, cors),
                (compress, result_cache, trusted_proxies, admin, trust),
            )
        };
        if server(config) != server(before) {
            tracing::warn!(
                "[limits], [ceilings], [server], [admin] and [trust] take effect when the server is started again"
            );
        }
        let is_left = |name: &FunctionName| config.functions.iter().any(|function| function.name == *name);
        for FunctionSource { name, .. } in before.functions.iter().filter(|function| !is_left(&function.name)) {
            tracing::warn!(
                function = %name,
                "{name} is no longer in {}, but the store still has it, and it is served as before",
                Config::FILE
            );
        }
    }

    /// Builds and publishes the functions of the configuration that are not the same in `before`.
    fn follow(&mut self, before: &[FunctionSource]) {
        let functions = &self.watched.config.functions;
        self.builds.follow(functions.iter().filter_map(|function| function.build.as_ref()));
        self.publishes.follow(functions);
        for function in functions {
            let before = before.iter().find(|before| before.name == function.name);
            let is_made_otherwise = before.is_some_and(|before| !before.is_built_like(function));
            match &function.build {
                Some(build) if function.source.is_missing() || is_made_otherwise => self.builds.want(build),
                _ if before != Some(function) => self.publishes.want(&function.name),
                _ => {}
            }
        }
    }

    fn start_what_is_due(&mut self) {
        for build in self.builds.due(Instant::now()) {
            // The build would write the file while it is read.
            if !self.made_by(&build).any(|function| self.publishes.is_running(&function.name)) {
                self.start_build(build);
            }
        }
        let is_being_built = |name: &FunctionName| {
            let function = self.watched.config.functions.iter().find(|function| function.name == *name);
            function.and_then(|function| function.build.as_ref()).is_some_and(|build| self.builds.is_under_way(build))
        };
        let mut due = Vec::new();
        for function in &self.watched.config.functions {
            if self.publishes.may_start(function, is_being_built) {
                self.publishes.started(&function.name);
                due.push(function.clone());
            }
        }
        due.into_iter().for_each(|function| self.start_publish(function));
    }

    /// The functions that a build makes.
    fn made_by(&self, build: &Build) -> impl Iterator<Item = &FunctionSource> {
        self.watched.config.functions.iter().filter(move |function| function.build.as_ref() == Some(build))
    }

    fn start_build(&mut self, build: Build) {
        let (functions, slots) = (label(&self.watched.config.functions, &build), self.build_slots.clone());
        let running = {
            let build = build.clone();
            tokio::spawn(async move { build.run(&functions, &slots).await.map_err(Arc::new) })
        };
        self.builds.started(&build, self.watcher.last_look(), running.abort_handle());
        self.finish(running, |result| Done::Built(build, result));
    }

    fn start_publish(&mut self, function: FunctionSource) {
        if let Some(file) = function.source.file() {
            block_in_place(|| self.watcher.know(file));
        }
        let (runtime, slots, name) = (Arc::clone(&self.runtime), self.publish_slots.clone(), function.name.clone());
        let running = tokio::spawn(async move {
            let _slot = slots.acquire().await;
            let published = publish_source(&runtime, &function).await;
            published.map_err(|failure| log_failure(&function.name, &failure)).ok()
        });
        self.finish(running, |result| Done::Published(name, result));
    }

    fn finish<T: Send + 'static>(&self, running: JoinHandle<T>, done: impl FnOnce(T) -> Done + Send + 'static) {
        self.work.push(Box::pin(async move { running.await.map_or(Done::Nothing, done) }));
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Built(build, result) => {
                self.builds.ended(&build);
                let made: Vec<_> = self.made_by(&build).map(|function| function.name.clone()).collect();
                for function in made {
                    match &result {
                        Ok(()) => self.publishes.want(&function),
                        Err(source) => {
                            self.publishes.give_up(&function);
                            log_failure(
                                &function,
                                &Failure::Build { function: function.clone(), source: Arc::clone(source) },
                            );
                        }
                    }
                }
            }
            Done::Published(name, published) => {
                self.publishes.ended(&name, published.is_some());
                let imports =
                    |function: &&FunctionSource| function.config.imports.values().any(|it| *it.name() == name);
                for function in self.watched.config.functions.iter().filter(|_| published == Some(true)).filter(imports)
                {
                    self.publishes.want(&function.name);
                }
            }
            Done::Nothing => {}
        }
    }
}

fn log_failure(name: &FunctionName, failure: &Failure) {
    tracing::error!("{name} stays as it is: {}", print::chain(failure));
}

impl WatchConfig {
    fn targets(&self) -> WatchTargets {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let functions = &self.config.functions;
        let files = functions.iter().filter_map(|function| function.source.file());
        let named: BTreeSet<_> = files.chain([self.path.as_path()]).map(Path::to_owned).collect();
        // The folders that functions may write to are not a part of their source.
        let granted = functions.iter().flat_map(|function| &function.config.dirs).map(|dir| &dir.host);
        let left_out = named.iter().chain(granted).chain(&self.cache).cloned().collect();
        let watch = &self.config.watch;
        let inputs = || Inputs::of(folder, &watch.ignore, &left_out, self.store.clone());
        WatchTargets {
            // Notifications have paths without symbolic links.
            folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()),
            inputs: functions.iter().any(|function| function.build.is_some()).then(inputs),
            poll: self.poll.or(watch.poll),
            named,
        }
    }
}
