//! `bootstrap`: the program of a package on AWS Lambda. It runs what `nebula package lambda` compiled, and compiles nothing.

use std::{error::Error, io, path::PathBuf, process::ExitCode, sync::Arc};

use nebula_http::Metrics;
use nebula_lambda::{Config, Functions, report_init_error, start_log};
use nebula_runtime::{
    FunctionRef, Package, Report, Runtime,
    stderr::{self, FlushAtExit},
    tokio_start::start_tokio,
    with_causes,
};
use tokio::runtime::Builder;

/// How many instances there is room for in each invocation: a batch calls its function for several records at once, and a
/// guest may go on after its response.
const INSTANCES: u32 = 16;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let _flush = FlushAtExit::within_patience();
    let concurrency = concurrency();
    // One thread where there is one invocation at a time: more would only have to be started.
    let mut threads = if concurrency > 1 { Builder::new_multi_thread() } else { Builder::new_current_thread() };
    match start_tokio(threads.enable_all(), give_up).block_on(serve(concurrency)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&*error);
            ExitCode::FAILURE
        }
    }
}

fn tell(error: &(dyn Error + 'static)) {
    stderr::note(format_args!("error: {}", with_causes(error)));
}

/// Ends the process where the system has no descriptor or thread for Tokio.
fn give_up(error: io::Error) -> ! {
    tell(&error);
    drop(FlushAtExit::within_patience());
    std::process::exit(1)
}

/// How many invocations the environment serves at once: several only on Lambda Managed Instances.
fn concurrency() -> u32 {
    let configured = std::env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok();
    configured.and_then(|count| count.parse().ok()).unwrap_or(1).max(1)
}

async fn serve(concurrency: u32) -> Result<(), Failure> {
    let metrics = Metrics::new();
    let (config, runtime, first) = match start(concurrency, &metrics).await {
        Ok(started) => started,
        Err(error) => {
            report_init_error(&*error, std::env::var("AWS_LAMBDA_RUNTIME_API").ok().as_deref()).await;
            return Err(error);
        }
    };
    let loaded = Arc::clone(&runtime);
    let load = async move {
        // The report of the first event would start this thread, and its answer would wait for that.
        stderr::start();
        if let Some(function) = first {
            // A failure is that of the invocation which needs the function.
            drop(loaded.load(&function).await);
        }
    };
    // What fails from here on, it tells Lambda itself.
    let functions = Functions { invoker: Arc::clone(&runtime) as _, catalog: runtime, metrics };
    nebula_lambda::run(config, functions, load).await?;
    Ok(())
}

/// The environment's configuration, the package's runtime, and the function that events are for, if one is.
async fn start(concurrency: u32, metrics: &Metrics) -> Result<(Config, Arc<Runtime>, Option<FunctionRef>), Failure> {
    let config = Config::from_vars(|name| std::env::var(name).ok())?;
    start_log(&config)?;
    let package = Package::open(&folder()?).await?;
    let runtime = Runtime::of_package(&package)
        .concurrency(concurrency.saturating_mul(INSTANCES))
        .observer(Arc::new(metrics.clone()))
        .observer(Arc::new(Report::log));
    let runtime = Arc::new(runtime.build()?);
    let function = config.function.clone().or_else(|| only(&package));
    Ok((config, runtime, function))
}

/// The function of a package that has no other.
fn only(package: &Package) -> Option<FunctionRef> {
    match package.functions() {
        [only] => Some(only.clone().into()),
        _ => None,
    }
}

/// Where the package is: where Lambda unpacks it, or, outside of Lambda, beside this program.
fn folder() -> std::io::Result<PathBuf> {
    match std::env::var_os("LAMBDA_TASK_ROOT") {
        Some(folder) => Ok(folder.into()),
        None => Ok(std::env::current_exe()?.parent().map(PathBuf::from).unwrap_or_default()),
    }
}
