//! `nebula start`: the command that packages start with.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};
use nebula_azure::{Bindings, Triggers};
use nebula_http::{
    Api, App, LocalAddress, Metrics, Route, Routes, ServerConfig, Shutdown, Site, Stopped, bind, raise_descriptor_limit,
};
use nebula_local::ExitCode;
use nebula_otel::Telemetry;
use nebula_runtime::{FunctionName, FunctionRef, Package, Report, Runtime};

use super::serve::CONCURRENCY;
use crate::{
    cgroup, failure::Failure, first_process::EndsAtSignals, global::Global, log::LogFormat, print, report_log::Reports,
    services, telemetry,
};

const EXAMPLES: &str = "\
Examples:
  PORT=8080 nebula start image /functions
  FUNCTIONS_CUSTOMHANDLER_PORT=8080 nebula start azure .";

/// Serves the functions of a package. Packages start with this command
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Start {
    #[command(subcommand)]
    platform: Platform,
    /// Which reports of calls are logged
    #[arg(long, global = true, value_name = "WHICH", value_enum, default_value_t)]
    reports: Reports,
}

#[derive(Debug, Subcommand)]
enum Platform {
    Image(Image),
    Azure(Azure),
}

/// Serves the functions of an image on all addresses
#[derive(Debug, Args)]
struct Image {
    /// The folder of the package
    folder: PathBuf,
    /// The port to listen on. Port 0 means any free port
    #[arg(long, value_name = "PORT", env = "PORT", default_value_t = 8080)]
    port: u16,
    /// The function that is at / as well as at its own path
    #[arg(long, value_name = "FUNCTION", env = "NEBULA_FUNCTION")]
    function: Option<FunctionRef>,
}

/// Serves the functions of a package for Azure Functions to the host on this machine
#[derive(Debug, Args)]
struct Azure {
    /// The folder of the package
    folder: PathBuf,
    /// The port to listen on, on the loopback. Port 0 means any free port
    #[arg(long, value_name = "PORT", env = "FUNCTIONS_CUSTOMHANDLER_PORT")]
    port: u16,
}

/// Which reports are logged, and what is sent to a collector.
type Observed<'a> = (Reports, Option<&'a Telemetry>);

/// The functions of a package, ready to be served.
struct Functions {
    folder: PathBuf,
    names: Vec<FunctionName>,
    runtime: Arc<Runtime>,
    metrics: Metrics,
}

impl Start {
    /// Serves until the process is asked to stop. `ends` handles signals until the server does.
    pub(crate) async fn execute(self, global: &Global, ends: EndsAtSignals) -> Result<u8, Failure> {
        if let Err(error) = raise_descriptor_limit() {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        let (shutdown, telemetry) = (Shutdown::new(), global.telemetry.as_ref());
        let (address, functions, app) = match self.platform {
            Platform::Image(image) => image.app((self.reports, telemetry), &shutdown).await?,
            Platform::Azure(azure) => azure.app((self.reports, telemetry), &shutdown).await?,
        };
        let listener = bind(address).await?;
        let signals = shutdown.on_signals().map_err(Failure::Signals)?;
        drop(ends);
        announce(&functions, &listener.address().map_err(Failure::Listener)?, global.log.format());
        let stopped = nebula_http::serve(listener, app, ServerConfig::default(), shutdown).await;
        signals.abort();
        if let Stopped::Cut(connections) = stopped {
            tracing::warn!(connections, "stopped before all requests were answered");
        }
        Ok(ExitCode::OK)
    }
}

impl Image {
    async fn app(self, observed: Observed<'_>, shutdown: &Shutdown) -> Result<(SocketAddr, Functions, App), Failure> {
        let functions = Functions::open(self.folder, observed).await?;
        let routes = Routes::default();
        // Every function can have the path `/`.
        let root = self.function.and_then(|function| Route::new(None, "/", function).ok());
        routes.replace(root.into_iter().collect());
        let app = functions.site(shutdown).with_routes(routes).into();
        Ok(((Ipv4Addr::UNSPECIFIED, self.port).into(), functions, app))
    }
}

impl Azure {
    async fn app(self, observed: Observed<'_>, shutdown: &Shutdown) -> Result<(SocketAddr, Functions, App), Failure> {
        let functions = Functions::open(self.folder, observed).await?;
        let bindings = functions.names.iter().map(|name| Ok((name.clone(), bindings(&functions.folder, name)?)));
        let triggers = Triggers::new(bindings.collect::<Result<Vec<_>, Failure>>()?);
        let app = nebula_azure::app(Arc::clone(&functions.runtime) as _, triggers, functions.site(shutdown));
        Ok(((Ipv4Addr::LOCALHOST, self.port).into(), functions, app))
    }
}

fn bindings(folder: &Path, name: &FunctionName) -> Result<Bindings, Failure> {
    let path = folder.join(name.as_str()).join("function.json");
    let json = fs::read(&path).map_err(|source| Failure::Read { path, source })?;
    Bindings::parse(&json).map_err(|source| Failure::Bindings { function: name.clone(), source })
}

impl Functions {
    async fn open(folder: PathBuf, (reports, telemetry): Observed<'_>) -> Result<Self, Failure> {
        let (package, metrics) = (Package::open(&folder).await?, Metrics::new());
        let mut builder = Runtime::of_package(&package)
            .services(services::of_package()?)
            .concurrency(CONCURRENCY)
            .admission(CONCURRENCY)
            .observer(Arc::new(metrics.clone()))
            .observer(Arc::new(move |report: &Report| reports.log(report)));
        if let Some(total) = cgroup::guest_memory() {
            builder = builder.guest_memory(total);
        }
        let runtime = Arc::new(telemetry::trace(builder, telemetry).build()?);
        metrics.show_runtime(&runtime);
        metrics.show_process();
        telemetry::start(telemetry, &metrics);
        Ok(Self { folder, names: package.functions().to_vec(), runtime, metrics })
    }

    fn site(&self, shutdown: &Shutdown) -> Site {
        let api = Api::new(Arc::clone(&self.runtime) as _).with_metrics(self.metrics.clone());
        Site::new(api, Arc::clone(&self.runtime) as _, shutdown.clone())
    }
}

/// Prints the functions and the address. The server accepts connections by then.
fn announce(functions: &Functions, address: &LocalAddress, format: LogFormat) {
    let names = functions.names.iter().map(FunctionName::as_str).collect::<Vec<_>>().join(", ");
    for line in [format!("serving {names}"), format!("listening on http://{address}")] {
        match format {
            LogFormat::Text => print::note(line),
            LogFormat::Json => tracing::info!("{line}"),
        }
    }
}
