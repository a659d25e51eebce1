//! `nebula inspect`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{
    AliasName, Digest, ErrorKind, FunctionConfig, FunctionInfo, FunctionRef, InvokeError, Limits, Runtime, Store,
};
use serde::Serialize;

use crate::{
    cli::Global,
    failure::Failure,
    print,
    publish::publish_file,
    target::{Target, name_of},
};

const EXAMPLES: &str = "\
Examples:
  nebula inspect treats
  nebula inspect treats@prod
  nebula inspect ./treats.wat          a file that is not published
  nebula inspect treats --json | jq .limits";

/// Shows a function's kind, exports and their types, size, digest, limits, grants and versions.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// A published function such as treats or treats@3, or a file such as ./treats.wasm
    #[arg(value_name = "FUNCTION|FILE")]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    info: FunctionInfo,
    limits: EffectiveLimits,
    /// All versions of the function, the newest first.
    versions: Vec<Version>,
}

/// The limits that hold where a server does not say otherwise.
#[derive(Serialize)]
struct EffectiveLimits {
    memory_bytes: u64,
    timeout_ms: u128,
    max_request_bytes: u64,
    max_response_bytes: u64,
    concurrency: u32,
}

#[derive(Serialize)]
struct Version {
    version: u64,
    digest: Digest,
    aliases: Vec<AliasName>,
}

impl Inspect {
    /// Prints what is known of the function.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let inspected = match self.target {
            Target::Function(function) => {
                let (store, _) = global.places.open_store().await?;
                let runtime = Runtime::builder(store.clone()).concurrency(1).build()?;
                let info = runtime.inspect(&function).await?;
                Inspected::of(info, versions(&store, &function).await?)
            }
            Target::File(path) => {
                let cache = global.places.code_cache();
                let runtime = Runtime::builder(Store::memory()).code_cache(cache).concurrency(1).build()?;
                let published =
                    publish_file(&runtime, &name_of(&path)?, &path, FunctionConfig::default(), None).await?;
                Inspected::of(published.info, Vec::new())
            }
        };
        match self.json {
            true => print::json(&inspected)?,
            false => print::result(&inspected.text())?,
        }
        Ok(ExitCode::OK)
    }
}

async fn versions(store: &Store, function: &FunctionRef) -> Result<Vec<Version>, Failure> {
    let gone = || InvokeError::new(ErrorKind::NotFound, format!("function {} is gone", function.name()));
    let record = store.record(function.name()).await?.ok_or_else(gone)?;
    let versions = record.versions().rev();
    Ok(versions
        .map(|(version, entry)| Version { version, digest: entry.module, aliases: record.aliases_of(version) })
        .collect())
}

impl Inspected {
    fn of(info: FunctionInfo, versions: Vec<Version>) -> Self {
        let limits = Limits::default().with(&info.config.limits).at_most(&Limits::CEILINGS);
        let limits = EffectiveLimits {
            memory_bytes: limits.memory.as_u64(),
            timeout_ms: limits.timeout.as_millis(),
            max_request_bytes: limits.max_request.as_u64(),
            max_response_bytes: limits.max_response.as_u64(),
            concurrency: limits.concurrency,
        };
        Self { info, limits, versions }
    }

    fn text(&self) -> String {
        let FunctionInfo { name, version, digest, size, kind, .. } = &self.info;
        let title = if self.versions.is_empty() {
            format!("{name}, not published")
        } else {
            format!("{name} version {version}")
        };
        let rows = [
            ("kind", vec![kind.to_string()]),
            ("digest", vec![digest.to_string()]),
            ("size", vec![bytes(*size)]),
            ("exports", self.info.exports.iter().map(ToString::to_string).collect()),
            ("limits", self.limits.lines()),
            ("grants", grants(&self.info.config)),
            ("versions", self.versions.iter().map(Version::line).collect()),
        ];
        let lines = rows.iter().flat_map(|(label, values)| {
            let labels = std::iter::once(*label).chain(std::iter::repeat(""));
            labels.zip(values).map(|(label, value)| format!("  {label:9} {value}\n"))
        });
        std::iter::once(title + "\n").chain(lines).collect()
    }
}

impl EffectiveLimits {
    fn lines(&self) -> Vec<String> {
        let timeout = std::time::Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(u64::MAX));
        vec![
            format!("memory {}", bytes(self.memory_bytes)),
            format!("timeout {}", humantime::format_duration(timeout)),
            format!("max_request {}", bytes(self.max_request_bytes)),
            format!("max_response {}", bytes(self.max_response_bytes)),
            format!("concurrency {}", self.concurrency),
        ]
    }
}

impl Version {
    fn line(&self) -> String {
        let aliases: String = self.aliases.iter().map(|alias| format!(" {alias}")).collect();
        format!("{} {}{aliases}", self.version, self.digest)
    }
}

/// What a function may do beyond computing. The values of variables may be secrets; `--json` has them.
fn grants(config: &FunctionConfig) -> Vec<String> {
    let dirs = config.dirs.iter().map(|dir| {
        let access = if dir.writable { "read and write" } else { "read" };
        format!("folder {} as {}, {access}", dir.host.display(), dir.guest)
    });
    let variables = config.env.keys().map(|name| format!("variable {name}"));
    let grants: Vec<_> = dirs.chain(variables).collect();
    if grants.is_empty() { vec!["none".to_owned()] } else { grants }
}

fn bytes(size: u64) -> String {
    nebula_runtime::ByteSize(size).to_string()
}
