//! `bootstrap`: the program in a package for AWS Lambda. It runs the code that `nebula package lambda` compiled, and
//! has no compiler.

#[cfg_attr(not(feature = "otel"), path = "no_telemetry.rs")]
mod telemetry;

use std::{error::Error, io, path::PathBuf, process::ExitCode, sync::Arc};

use nebula_http::Metrics;
use nebula_lambda::{Config, Functions, report_init_error, start_log};
use nebula_runtime::{
    FunctionRef, Node, Package, Report, Runtime, ServicesConfig,
    stderr::{self, FlushAtExit},
    tokio_start::start_tokio,
    turn_off_core_dumps, with_causes,
};
use telemetry::Telemetry;
use tokio::runtime::Builder;

/// How many instances have room for each invocation: a batch calls its function for several records at once, and a
/// guest may run on after its response.
const INSTANCES: u32 = 16;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    turn_off_core_dumps();
    let _flush = FlushAtExit::with_timeout();
    let concurrency = concurrency();
    // One thread suffices for one invocation at a time, and starts faster than several.
    let mut threads = if concurrency > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    match start_tokio(threads.enable_all(), give_up).block_on(serve(concurrency)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&*error);
            ExitCode::FAILURE
        }
    }
}

fn print(error: &(dyn Error + 'static)) {
    stderr::note(format_args!("error: {}", with_causes(error)));
}

/// Ends the process when the system has no file descriptor or thread for Tokio.
fn give_up(error: io::Error) -> ! {
    print(&error);
    drop(FlushAtExit::with_timeout());
    std::process::exit(1)
}

/// How many invocations the environment serves at once: several only on Lambda Managed Instances.
fn concurrency() -> u32 {
    let configured = std::env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok();
    configured.and_then(|count| count.parse().ok()).unwrap_or(1).max(1)
}

async fn serve(concurrency: u32) -> Result<(), Failure> {
    let metrics = Metrics::new();
    let Started { config, runtime, first, telemetry } = match start(concurrency, &metrics).await {
        Ok(started) => started,
        Err(error) => {
            report_init_error(&*error, std::env::var("AWS_LAMBDA_RUNTIME_API").ok().as_deref()).await;
            return Err(error);
        }
    };
    let loaded = Arc::clone(&runtime);
    let load = async move {
        // Otherwise the report of the first event would start this thread, and the answer would wait.
        stderr::start();
        if let Some(function) = first {
            // The invocation that needs the function will fail with the same error.
            drop(loaded.load(&function).await);
        }
    };
    // From here on, `run` reports failures to Lambda itself.
    let flush = telemetry.start(&metrics);
    let functions = Functions { invoker: Arc::clone(&runtime) as _, catalog: runtime, metrics, flush };
    nebula_lambda::run(config, functions, load).await?;
    Ok(())
}

/// What an environment begins with.
struct Started {
    config: Config,
    /// The runtime of the package.
    runtime: Arc<Runtime>,
    /// The function that handles events, if it is known.
    first: Option<FunctionRef>,
    telemetry: Telemetry,
}

async fn start(concurrency: u32, metrics: &Metrics) -> Result<Started, Failure> {
    let config = Config::from_vars(|name| std::env::var(name).ok())?;
    let (telemetry, warnings) = Telemetry::open()?;
    start_log(&config, telemetry.log_layer())?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let package = Package::open(&folder()?).await?;
    let node = Node::new(folder()?, std::env::vars_os());
    let services = ServicesConfig::of_environment(&node)?.unwrap_or_default().open(&node)?;
    let runtime = Runtime::of_package(&package)
        .services(services)
        .concurrency(concurrency.saturating_mul(INSTANCES))
        .observer(Arc::new(metrics.clone()))
        .observer(Arc::new(Report::log));
    let runtime = Arc::new(telemetry.trace(runtime).build()?);
    let first = config.function.clone().or_else(|| only(&package));
    Ok(Started { config, runtime, first, telemetry })
}

/// The function of a package with only one.
fn only(package: &Package) -> Option<FunctionRef> {
    match package.functions() {
        [only] => Some(only.clone().into()),
        _ => None,
    }
}

/// The folder of the package: where Lambda unpacks it, or outside of Lambda the folder of this program.
fn folder() -> std::io::Result<PathBuf> {
    match std::env::var_os("LAMBDA_TASK_ROOT") {
        Some(folder) => Ok(folder.into()),
        None => Ok(std::env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default()),
    }
}
