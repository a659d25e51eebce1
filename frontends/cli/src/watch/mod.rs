//! `serve --watch`: files that change are published again.
//!
//! There is one mechanism. [`FileWatcher`] looks at files, when a notice came or some time has passed, and tells which of them hold
//! something else than before. [`Builds`] and [`Publishes`] know what is due for it. [`Watch`] does that, and everything that
//! is not bound to wait goes on at the same time.

mod builds;
mod files;
mod inputs;
mod notices;
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
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, block_in_place},
};

use crate::{
    build::{Build, BuildError, BuildSlots},
    config::{Config, ConfigError, FunctionSource},
    failure::Failure,
    print,
    publish::{label, publish_source},
};
use builds::Builds;
use inputs::Inputs;
use publishes::Publishes;
use watcher::{FileWatcher, WatchTargets};

/// A server whose builds take longer than this starts without their functions.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a watch is about.
pub(crate) struct WatchConfig {
    /// The configuration, as an absolute path.
    pub(crate) path: PathBuf,
    /// What it said when it was read.
    pub(crate) config: Config,
    /// The store: what is written there is no change.
    pub(crate) store: StoreUrl,
    /// The folder of compiled code, likewise.
    pub(crate) cache: Option<PathBuf>,
    /// How often to look without a notice, where the command line says it.
    pub(crate) poll: Option<Duration>,
    /// The server's routes, which follow the configuration.
    pub(crate) routes: Routes,
}

/// Publishes the functions of a configuration, and again when it or their files change, and builds those files when anything
/// else in the configuration's folder does.
///
/// - A file that cannot be built or published, or a configuration that cannot be read, is logged; what was published stays.
/// - Functions are built and published at the same time, each after those that it imports. None waits for a build that is not
///   its own.
pub(crate) struct Watch {
    watched: WatchConfig,
    /// Why the configuration cannot be read, where it cannot.
    broken: Option<String>,
    runtime: Arc<Runtime>,
    watcher: FileWatcher,
    builds: Builds,
    publishes: Publishes,
    places: BuildSlots,
    publishing: Arc<Semaphore>,
    work: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
}

/// Work that has ended.
enum Done {
    Built(Build, Result<(), Arc<BuildError>>),
    Published(FunctionName, Option<bool>),
    /// Nobody wants it any more, or it panicked, which is logged.
    Nothing,
}

impl Watch {
    /// Starts to watch, and publishes what is there. Waits for that, but for builds that take long.
    ///
    /// Needs Tokio's runtime of several threads: files are read on this one.
    pub(crate) async fn start(watched: WatchConfig, runtime: Arc<Runtime>) -> Self {
        let mut watch = Self {
            // Before files are read for the first time, so that no change falls between the two.
            watcher: block_in_place(|| FileWatcher::of(watched.targets())),
            watched,
            broken: None,
            runtime,
            builds: Builds::default(),
            publishes: Publishes::default(),
            places: BuildSlots::new(),
            publishing: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, Into::into))),
            work: FuturesUnordered::new(),
        };
        watch.follow(&[]);
        // It may have changed since it was read, and before it was looked at.
        watch.reload();
        watch.start_what_is_due();
        let patience = Instant::now() + PATIENCE;
        while watch.publishes.are_running() || watch.builds.are_running() && Instant::now() < patience {
            watch.step().await;
        }
        watch
    }

    /// Publishes what changes, for ever.
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
        for function in self.watched.config.functions.iter().filter(|function| seen.named.contains(&function.source)) {
            match &function.build {
                Some(build) if !function.source.exists() && !self.builds.is_under_way(build) => self.builds.want(build),
                // Its end is waited for, and publishes the function.
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
                self.say_what_is_new(&before);
                self.watched.routes.replace(self.watched.config.routes.clone());
                self.watcher.follow(self.watched.targets());
                self.follow(&before.functions);
            }
            Err(error) => self.stay(&error),
        }
    }

    /// Says once why the configuration cannot be read. It is tried again: the reason may be elsewhere than in the file.
    fn stay(&mut self, error: &ConfigError) {
        let reason = print::chain(error);
        if self.broken.as_ref() != Some(&reason) {
            tracing::error!("the configuration stays as it is: {reason}");
            self.broken = Some(reason);
        }
    }

    fn say_what_is_new(&self, before: &Config) {
        let config = &self.watched.config;
        let server =
            |config: &Config| (config.limits, config.ceilings, config.concurrency, config.trusted_proxies.clone());
        if server(config) != server(before) {
            tracing::warn!("[limits], [ceilings] and [server] take effect when the server is started again");
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

    /// Builds and publishes those functions of the configuration that are not among these.
    fn follow(&mut self, before: &[FunctionSource]) {
        let functions = &self.watched.config.functions;
        self.builds.follow(functions.iter().filter_map(|function| function.build.as_ref()));
        self.publishes.follow(functions);
        for function in functions {
            let before = before.iter().find(|before| before.name == function.name);
            let is_made_otherwise = before.is_some_and(|before| !before.is_made_like(function));
            match &function.build {
                Some(build) if !function.source.exists() || is_made_otherwise => self.builds.want(build),
                _ if before != Some(function) => self.publishes.want(&function.name),
                _ => {}
            }
        }
    }

    fn start_what_is_due(&mut self) {
        for build in self.builds.due(Instant::now()) {
            // It would write what is being read.
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
        let (functions, places) = (label(&self.watched.config.functions, &build), self.places.clone());
        let running = {
            let build = build.clone();
            tokio::spawn(async move { build.run(&functions, &places).await.map_err(Arc::new) })
        };
        self.builds.started(&build, self.watcher.last_look(), running.abort_handle());
        self.finish(running, |result| Done::Built(build, result));
    }

    fn start_publish(&mut self, function: FunctionSource) {
        block_in_place(|| self.watcher.know(&function.source));
        let (runtime, places, name) = (Arc::clone(&self.runtime), Arc::clone(&self.publishing), function.name.clone());
        let running = tokio::spawn(async move {
            // Nobody closes the semaphore.
            let _place = places.acquire().await.ok();
            let published = publish_source(&runtime, &function).await;
            published.map_err(|failure| stays(&function.name, &failure)).ok()
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
                            stays(
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

fn stays(name: &FunctionName, failure: &Failure) {
    tracing::error!("{name} stays as it is: {}", print::chain(failure));
}

impl WatchConfig {
    fn targets(&self) -> WatchTargets {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let functions = &self.config.functions;
        let named: BTreeSet<_> =
            functions.iter().map(|function| &function.source).chain([&self.path]).cloned().collect();
        // What functions may write is no source of theirs.
        let granted = functions.iter().flat_map(|function| &function.config.dirs).map(|dir| &dir.host);
        let left_out = named.iter().chain(granted).chain(&self.cache).cloned().collect();
        let watch = &self.config.watch;
        let inputs = || Inputs::of(folder, &watch.ignore, &left_out, self.store.clone());
        WatchTargets {
            // Notices name folders without links.
            folder: fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()),
            inputs: functions.iter().any(|function| function.build.is_some()).then(inputs),
            poll: self.poll.or(watch.poll),
            named,
        }
    }
}
