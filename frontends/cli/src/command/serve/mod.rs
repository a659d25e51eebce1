//! `nebula serve`.

mod enter;
mod sockets;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use nebula_admin::RecentInvocations;
use nebula_http::{
    Api, ListenAddress, Metrics, OpenConnections, Routes, Shutdown, Site, Stopped, raise_descriptor_limit,
};
use nebula_local::ExitCode;
use nebula_otel::Telemetry;
use nebula_runtime::{
    CompilerProcess, FunctionName, Limits, Observer as _, Reach, Report, Runtime, Services, Store, StoreUrl,
};

use crate::{
    admin::AdminServer,
    cgroup,
    config::Config,
    failure::Failure,
    first_process::EndsAtSignals,
    global::Global,
    listening::Listening,
    log::LogFormat,
    places::{PlaceOptions, TokenOptions},
    print,
    publish::publish_all,
    report_log::Reports,
    services,
    systemd::{self, PassedSockets},
    telemetry,
    values::Timeout,
    watch::{Watch, WatchConfig},
};

/// How many invocations a server runs at once, unless its configuration says otherwise.
pub(crate) const CONCURRENCY: u32 = 256;

const EXAMPLES: &str = "\
Examples:
  nebula serve                                 all published functions
  nebula serve --config nebula.toml --watch    publish the functions of a file,
                                               and again when they change
  nebula serve --watch --poll=2s               look for changes every two seconds,
                                               if the system does not report them
  nebula serve --admin 127.0.0.1:8081          also publish over HTTP, with tokens
                                               of nebula token create
  nebula serve --listen :80 --reports all --log-format json
                                               on all addresses of this machine
  nebula serve --sandbox                       start only if the kernel keeps the
                                               server to its own files and ports
  nebula serve --listen unix:/run/nebula.sock  for a proxy on this machine
  curl localhost:8080/api/treats/10            call a function

Without --config, the server reads nebula.toml if the working directory has one.
The first SIGINT or SIGTERM lets requests finish, the second one ends the server
at once. SIGHUP lets requests finish too, except under nohup.";

/// Serves the published functions over HTTP
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Serve {
    /// The address to listen on: HOST:PORT, :8080 for all addresses of this machine, or 8080 for port 8080
    /// of 127.0.0.1. Port 0 means any free port. unix:PATH means a Unix socket. Everyone who reaches the
    /// address can call the functions. With server.tls in the configuration, the server speaks HTTPS.
    /// A socket that systemd passes takes the place of this one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: ListenAddress,
    /// The file with the functions to publish first, and the limits of the server
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Publish functions again when their files or the configuration change, and run their build commands
    /// when another file in the folder of the configuration changes
    #[arg(long)]
    watch: bool,
    /// With --watch: look for changes this often. Without this option, Nebula looks every second if the
    /// system does not report changes
    #[arg(long, value_name = "INTERVAL", requires = "watch")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "1s")]
    poll: Option<Timeout>,
    /// Also serve the admin API, with which the holders of tokens publish functions and move aliases: an
    /// address as for --listen. If other machines reach it, it needs admin.tls in the configuration
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<ListenAddress>,
    #[command(flatten)]
    tokens: TokenOptions,
    /// Require the sandbox: the kernel then lets the server use no files and ports but its own, and those of the
    /// functions in the configuration. Without this option, the server enters it where the kernel has it, and not with
    /// --watch
    #[arg(long, conflicts_with_all = ["no_sandbox", "watch"])]
    sandbox: bool,
    /// Do not enter the sandbox
    #[arg(long)]
    no_sandbox: bool,
    /// The configuration, which is read before the server enters the sandbox: the sandbox does not let it read the file.
    #[arg(skip)]
    read: Option<Config>,
    /// The processes that compile the server's modules.
    #[arg(skip)]
    compiler: Option<CompilerProcess>,
    /// What the server can still reach, if it is in the sandbox.
    #[arg(skip)]
    reach: Option<Reach>,
    /// Which reports of calls are logged
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    reports: Reports,
    /// End when no connection was open and no function ran for this long. systemd starts the server again
    /// at the next connection, if it has opened the sockets
    #[arg(long, value_name = "TIME")]
    exit_idle: Option<Timeout>,
    /// The sockets that systemd has passed.
    #[arg(skip)]
    passed: PassedSockets,
}

impl Serve {
    /// Serves until the process is asked to stop. `ends` handles signals until the server does.
    pub(crate) async fn execute(mut self, global: &Global, ends: EndsAtSignals) -> Result<u8, Failure> {
        if let Err(error) = raise_descriptor_limit() {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        let path = self.config_path()?;
        let config = match self.read.take() {
            Some(config) => config,
            None => path.as_deref().map(Config::read).transpose()?.unwrap_or_default(),
        };
        let open = OpenConnections::new();
        let (listening, admin) = self.listen(&config, &open).await?;
        let (store, url) = global.places.open_or_make_store().await?;
        let (metrics, mut services) = (Metrics::new(), services::open(path.as_deref(), &config.services, &url)?);
        if let Some(reach) = self.reach.clone() {
            services = services.within(reach);
        }
        let runtime = Arc::new(runtime(
            (store.clone(), services.clone()),
            &global.places,
            &config,
            (metrics.clone(), recent(admin.as_ref(), global)),
            (self.reports, global.telemetry.as_ref()),
            self.compiler.take(),
        )?);
        metrics.show_runtime(&runtime);
        metrics.show_process();
        telemetry::start(global.telemetry.as_ref(), &metrics);
        let routes = Routes::default();
        routes.replace(config.routes.clone());
        match path.filter(|_| self.watch) {
            Some(path) => {
                let watched = self.watched(global, path, config.clone(), url.clone(), routes.clone())?;
                tokio::spawn(Watch::start(watched, Arc::clone(&runtime)).await.run());
            }
            None => publish_all(&runtime, &config).await?,
        }
        let shutdown = Shutdown::new();
        let signals = shutdown.on_signals().map_err(Failure::Signals)?;
        drop(ends);
        announce(&listening, admin.as_ref(), &store, &url, global.log.format()).await?;
        systemd::notify_ready();
        let stopping = self.stopping(open, metrics.clone(), shutdown.clone());
        let administered = administer(admin, Arc::clone(&runtime), services, shutdown.clone());
        let site = site(runtime, &config, metrics, shutdown.clone()).with_routes(routes);
        let served = nebula_http::serve(listening.into_listener(), site, self.settings(&config), shutdown);
        let (served, administered, ()) = tokio::join!(served, administered, stopping);
        let stopped: [Stopped; 2] = [served, administered];
        signals.abort();
        stopped.iter().for_each(warn_if_cut);
        Ok(ExitCode::OK)
    }

    fn watched(
        &self,
        global: &Global,
        path: PathBuf,
        config: Config,
        store: StoreUrl,
        routes: Routes,
    ) -> Result<WatchConfig, Failure> {
        // The working directory may be replaced by another folder.
        let absolute = std::path::absolute(&path).map_err(|source| Failure::Absolute { path, source })?;
        let (cache, poll) = (global.places.code_cache().map(|cache| cache.path), self.poll.map(|poll| poll.0));
        Ok(WatchConfig { path: absolute, config, store, cache, poll, routes })
    }

    fn config_path(&self) -> Result<Option<PathBuf>, Failure> {
        let implied = || Some(PathBuf::from(Config::FILE)).filter(|path| path.exists());
        match self.config.clone().or_else(implied) {
            None if self.watch => Err(Failure::Usage(format!(
                "--watch needs a configuration that names files: there is no {} here, and no --config",
                Config::FILE
            ))),
            path => Ok(path),
        }
    }
}

/// Serves the admin API until `shutdown` asks to stop, if there is one.
async fn administer(
    admin: Option<AdminServer>,
    runtime: Arc<Runtime>,
    services: Services,
    shutdown: Shutdown,
) -> Stopped {
    match admin {
        Some(admin) => admin.serve(runtime, services, shutdown).await,
        None => Stopped::Drained,
    }
}

/// The last invocations, which are kept only where the admin API shows them.
fn recent(admin: Option<&AdminServer>, global: &Global) -> Option<RecentInvocations> {
    let recent = admin?.recent().clone();
    global.guest_lines.pass_to(recent.clone());
    Some(recent)
}

fn warn_if_cut(stopped: &Stopped) {
    if let Stopped::Cut(connections) = stopped {
        tracing::warn!(connections, "stopped before all requests were answered");
    }
}

/// The runtime with its layers: what arrives is observed, then admitted, then run.
fn runtime(
    (store, services): (Store, Services),
    places: &PlaceOptions,
    config: &Config,
    (metrics, recent): (Metrics, Option<RecentInvocations>),
    (reports, telemetry): (Reports, Option<&Telemetry>),
    compiler: Option<CompilerProcess>,
) -> Result<Runtime, Failure> {
    let concurrency = config.concurrency.unwrap_or(CONCURRENCY);
    let observe = move |report: &Report| {
        metrics.record(report);
        reports.log(report);
        recent.iter().for_each(|recent| recent.ended(report));
    };
    let mut builder = Runtime::builder(store)
        .defaults(Limits::default().with(&config.limits))
        .ceilings(config.ceilings)
        .cors(config.cors.clone())
        .result_cache(config.result_cache)
        .trust(config.trust.clone())
        .services(services)
        .code_cache(places.code_cache())
        .compiler_process(compiler)
        .concurrency(concurrency)
        .admission(concurrency)
        .observer(Arc::new(observe));
    if let Some(total) = cgroup::guest_memory() {
        builder = builder.guest_memory(total);
    }
    Ok(telemetry::trace(builder, telemetry).build()?)
}

/// The routes of the whole server.
fn site(runtime: Arc<Runtime>, config: &Config, metrics: Metrics, shutdown: Shutdown) -> Site {
    let api = Api::new(Arc::clone(&runtime) as _)
        .with_metrics(metrics)
        .with_trusted_proxies(config.proxies())
        .with_client_rate(config.client_rate);
    Site::new(api, runtime, shutdown)
}

/// Prints the functions and the address. The server accepts connections by then.
async fn announce(
    listening: &Listening,
    admin: Option<&AdminServer>,
    store: &Store,
    url: &StoreUrl,
    format: LogFormat,
) -> Result<(), Failure> {
    let names = store.names().await?;
    let mut lines = vec![functions(&names, url)];
    if listening.is_open() {
        lines.push("everyone who reaches the address can call every function".to_owned());
    }
    lines.extend(admin.into_iter().flat_map(AdminServer::lines));
    lines.push(format!("listening on {}", listening.url()));
    for line in lines {
        match format {
            LogFormat::Text => print::note(line),
            LogFormat::Json => tracing::info!("{line}"),
        }
    }
    Ok(())
}

fn functions(names: &[FunctionName], url: &StoreUrl) -> String {
    /// A longer list of names would fill the screen.
    const SHOWN: usize = 10;

    let shown: Vec<_> = names.iter().take(SHOWN).map(FunctionName::as_str).collect();
    let (more, plural) = (if names.len() > SHOWN { ", …" } else { "" }, if names.len() == 1 { "" } else { "s" });
    match names {
        [] => format!("serving {url}, which has no functions yet: nebula publish NAME FILE"),
        _ => format!("serving {} function{plural} of {url}: {}{more}", names.len(), shown.join(", ")),
    }
}
