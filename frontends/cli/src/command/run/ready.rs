//! Makes the function of a command ready to be called: a published one, or one in a file.

use std::path::Path;

use nebula_runtime::{
    FunctionInfo, FunctionRef, GuestStderr, Kind, Limits, RegistryErrorKind, Runtime, RuntimeBuilder, Store,
};

use super::file::FileOptions;
use crate::{
    failure::Failure,
    global::Global,
    publish::publish_file,
    services,
    target::{Target, name_of},
    trust::TrustOptions,
};

/// A function that is ready to be called.
pub(crate) struct Ready {
    pub(crate) runtime: Runtime,
    pub(crate) function: FunctionRef,
    pub(crate) info: FunctionInfo,
    /// The arguments after `--`, if the function is not a command.
    pub(crate) more_args: Vec<String>,
}

impl Ready {
    /// Makes the target of a command ready. `argv` are the arguments after `--`. `builder` sets up the runtime for the
    /// functions of a store.
    ///
    /// # Errors
    /// There is no such function or file, it cannot be run, or an option is for files only.
    pub(crate) async fn prepare(
        (target, argv): (Target, Vec<String>),
        file: FileOptions,
        trust: &TrustOptions,
        global: &Global,
        builder: impl FnOnce(Store) -> RuntimeBuilder,
    ) -> Result<Self, Failure> {
        match target {
            Target::Function(function) => {
                let builder = |store| {
                    let services = services::open_implied(trust.config(), &global.places.store_url()?)?;
                    Ok(builder(store).trust(trust.trust()?).services(services))
                };
                published(function, argv, &file, global, builder).await
            }
            Target::File(path) => unpublished(&path, argv, file, builder(Store::memory())).await,
        }
    }
}

/// A runtime for the functions of a store, which makes `jobs` calls at a time.
pub(crate) fn builder(store: Store, global: &Global, jobs: u32) -> RuntimeBuilder {
    let mut limits = Limits::default();
    limits.concurrency = limits.concurrency.max(jobs);
    Runtime::builder(store)
        .defaults(limits)
        .code_cache(global.places.code_cache())
        .guest_stderr(GuestStderr::Inherit)
        .concurrency(jobs)
}

async fn published(
    function: FunctionRef,
    argv: Vec<String>,
    options: &FileOptions,
    global: &Global,
    builder: impl FnOnce(Store) -> Result<RuntimeBuilder, Failure>,
) -> Result<Ready, Failure> {
    if let Some(option) = options.first_given() {
        let hint = "a published function has the settings it was published with (nebula publish --config)";
        return Err(Failure::Usage(format!("{option} is for a FILE, and {function} is not one: {hint}")));
    }
    let store = global.places.open_store_of(&function).await.map_err(|failure| with_hint(failure, &function))?;
    let runtime = builder(store)?.build()?;
    let info = runtime.inspect(&function).await.map_err(|error| with_hint(error.into(), &function))?;
    Ok(Ready { runtime, function, info, more_args: argv })
}

/// Adds a hint if there is no such function but a file of that name.
fn with_hint(failure: Failure, function: &FunctionRef) -> Failure {
    let file = function.to_string();
    let is_missing = matches!(&failure, Failure::Registry(error) if error.kind() == RegistryErrorKind::NotFound);
    if is_missing && Path::new(&file).exists() { Failure::IsFile { failure: Box::new(failure), file } } else { failure }
}

async fn unpublished(
    path: &Path,
    argv: Vec<String>,
    options: FileOptions,
    builder: RuntimeBuilder,
) -> Result<Ready, Failure> {
    let runtime = builder.build()?;
    let (name, config) = (name_of(path)?, options.config(argv.clone())?);
    let info = publish_file(&runtime, &name, path, config, None).await?.info;
    let more_args = match info.kind {
        Kind::Command => Vec::new(),
        Kind::Core | Kind::Http | Kind::Typed => argv,
    };
    Ok(Ready { runtime, function: name.into(), info, more_args })
}

#[cfg(test)]
mod tests {
    use nebula_runtime::RegistryError;

    use super::*;

    #[test]
    fn the_error_for_a_missing_function_names_a_file_of_that_name() {
        // The tests' working folder is the crate's.
        let function: FunctionRef = "src".parse().unwrap();
        assert!(Path::new("src").exists());
        let failure =
            with_hint(RegistryError::new(RegistryErrorKind::NotFound, "there is no function src").into(), &function);
        let expected = "not_found: there is no function src; there is a file of that name: ./src";
        assert_eq!(failure.to_string(), expected);
    }
}
