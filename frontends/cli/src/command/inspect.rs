//! `nebula inspect`.

use std::{
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{
    Caching, Export, FunctionConfig, FunctionInfo, FunctionRef, Limits, Origin, Rate, Runtime, Store, TypedExport,
    VersionInfo, VersionRef,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    failure::Failure,
    global::Global,
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

/// Shows the kind, exports, types, size, digest, limits, grants and versions of a function
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

/// What the command prints.
#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    info: FunctionInfo,
    limits: EffectiveLimits,
    /// The target of a `nebula run` that calls it.
    #[serde(skip)]
    called: CallTarget,
    /// All versions of the function, the newest first.
    versions: Vec<VersionInfo>,
}

enum CallTarget {
    Function(FunctionRef),
    File(PathBuf),
}

/// The limits of the function on a server without limits of its own.
#[derive(Serialize)]
struct EffectiveLimits {
    memory_bytes: u64,
    timeout_ms: u128,
    max_request_bytes: u64,
    max_response_bytes: u64,
    concurrency: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
}

impl Inspect {
    /// Prints everything that is known about the function.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let inspected = match self.target {
            Target::Function(function) => {
                let releases = global.places.releases_of(&function).await?;
                let info = releases.inspect(&function).await?;
                let versions = releases.versions(function.name()).await?;
                Inspected::of(info, CallTarget::Function(function), versions)
            }
            Target::File(path) => {
                let cache = global.places.code_cache();
                let runtime = Runtime::builder(Store::memory()).code_cache(cache).concurrency(1).build()?;
                let published =
                    publish_file(&runtime, &name_of(&path)?, &path, FunctionConfig::default(), None).await?;
                Inspected::of(published.info, CallTarget::File(path), Vec::new())
            }
        };
        match self.json {
            true => print::json(&inspected)?,
            false => print::result(&inspected.text())?,
        }
        Ok(ExitCode::OK)
    }
}

impl Inspected {
    fn of(info: FunctionInfo, called: CallTarget, versions: Vec<VersionInfo>) -> Self {
        let limits = Limits::default().with(&info.config.limits).at_most(&Limits::CEILINGS);
        let limits = EffectiveLimits {
            memory_bytes: limits.memory.as_u64(),
            timeout_ms: limits.timeout.as_millis(),
            max_request_bytes: limits.max_request.as_u64(),
            max_response_bytes: limits.max_response.as_u64(),
            concurrency: limits.concurrency,
            rate: limits.rate,
        };
        Self { info, limits, called, versions }
    }

    /// The version that is shown in full.
    fn shown_version(&self) -> Option<&VersionInfo> {
        self.versions.iter().find(|version| version.version == self.info.version)
    }

    fn text(&self) -> String {
        let FunctionInfo { name, version, digest, size, kind, composition, snapshot, .. } = &self.info;
        let title = if self.versions.is_empty() {
            format!("{name}, not published")
        } else {
            format!("{name} version {version}")
        };
        let rows = [
            ("kind", vec![kind.to_string()]),
            ("digest", vec![digest.to_string()]),
            ("size", vec![bytes(*size)]),
            ("snapshot", snapshot.iter().map(|image| format!("{}, {}", image.digest, bytes(image.size))).collect()),
            ("exports", self.info.exports.iter().flat_map(|export| self.export(export)).collect()),
            ("imports", composition.iter().flat_map(|composed| &composed.imports).map(ToString::to_string).collect()),
            (
                "component",
                composition.iter().map(|composed| format!("{} before linking", composed.component)).collect(),
            ),
            ("origin", self.shown_version().and_then(origin).into_iter().collect()),
            ("limits", self.limits.lines()),
            ("results", self.info.config.cache.iter().map(|Caching::Pure| "kept, as it is pure".to_owned()).collect()),
            ("grants", grants(&self.info.config)),
            ("aliases", self.info.targets.iter().map(|(alias, target)| format!("{alias}: {target}")).collect()),
            ("versions", self.versions.iter().map(version_line).collect()),
        ];
        let lines = rows.iter().flat_map(|(label, values)| {
            let labels = std::iter::once(*label).chain(std::iter::repeat(""));
            labels.zip(values).map(|(label, value)| format!("  {label:9} {value}\n"))
        });
        std::iter::once(title + "\n").chain(lines).collect()
    }
}

impl Inspected {
    /// An export's signature. Of a typed one also its documentation, and a call that works when it is pasted into a
    /// shell.
    fn export(&self, export: &Export) -> Vec<String> {
        let Some(typed) = &export.typed else {
            return vec![export.to_string()];
        };
        if let Some(why) = &typed.refused {
            return vec![format!("{} cannot be called: {why}", export.name)];
        }
        let docs = typed.docs.iter().flat_map(|docs| docs.lines()).map(|line| format!("/// {line}"));
        let wit = typed.wit.lines().map(str::to_owned);
        docs.chain(wit).chain([self.example(export, typed)]).collect()
    }

    /// A command line that calls an export with an example of each argument.
    fn example(&self, export: &Export, typed: &TypedExport) -> String {
        let target = self.called.export(match self.info.exports.as_slice() {
            [_] => None,
            _ => Some(&export.name),
        });
        let arguments: String = typed.params.iter().map(|param| " ".to_owned() + &argument(&param.example)).collect();
        match arguments.is_empty() {
            // Without arguments, each line of stdin is an event.
            true => format!("$ echo '[]' | nebula run {target}"),
            false => format!("$ nebula run {target}{arguments}"),
        }
    }
}

impl CallTarget {
    fn export(&self, export: Option<&str>) -> String {
        match (self, export) {
            (Self::Function(function), None) => format!("{}{}", function.name(), version(function)),
            (Self::Function(function), Some(export)) => format!("{}:{export}{}", function.name(), version(function)),
            (Self::File(path), None) => path_word(path),
            (Self::File(path), Some(export)) => format!("{} --export {export}", path_word(path)),
        }
    }
}

fn version(function: &FunctionRef) -> String {
    match function.version() {
        VersionRef::Latest => String::new(),
        version => format!("@{version}"),
    }
}

/// An example as an argument: a JSON string without its quotation marks, unless the rest is JSON too.
fn argument(example: &Value) -> String {
    let plain = example.as_str().filter(|text| serde_json::from_str::<Value>(text).is_err());
    shell_word(&plain.map_or_else(|| example.to_string(), str::to_owned))
}

/// A path as a word of the shell, also one that is not UTF-8.
fn path_word(path: &Path) -> String {
    match path.to_str() {
        Some(text) => shell_word(text),
        None => format!("$'{}'", path.as_os_str().as_bytes().escape_ascii()),
    }
}

/// A word of the shell, quoted if it has characters with a meaning there.
fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,+@%".contains(&byte);
    match word.bytes().all(is_plain) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

impl EffectiveLimits {
    fn lines(&self) -> Vec<String> {
        let timeout = std::time::Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(u64::MAX));
        let lines = [
            format!("memory {}", bytes(self.memory_bytes)),
            format!("timeout {}", humantime::format_duration(timeout)),
            format!("max_request {}", bytes(self.max_request_bytes)),
            format!("max_response {}", bytes(self.max_response_bytes)),
            format!("concurrency {}", self.concurrency),
        ];
        lines.into_iter().chain(self.rate.map(|rate| format!("rate {rate}"))).collect()
    }
}

fn version_line(info: &VersionInfo) -> String {
    let VersionInfo { version, digest, aliases, published_at, published_by, signatures, .. } = info;
    let aliases: String = aliases.iter().map(|alias| format!(" {alias}")).collect();
    let at = published_at.iter().map(|at| format!(", published {at}"));
    let by = published_by.iter().map(|by| format!(" by {by}"));
    let signatures = (!signatures.is_empty()).then(|| format!(", signatures: {}", signatures.len()));
    format!("{version} {digest}{aliases}{}", at.chain(by).chain(signatures).collect::<String>())
}

/// Where a version was pulled from, and by which key it was signed there.
fn origin(info: &VersionInfo) -> Option<String> {
    let Origin { reference, digest, signed_by, .. } = info.origin.as_ref()?;
    let signed_by = signed_by.as_ref().map(|key| format!(", signed there by {key}")).unwrap_or_default();
    Some(format!("{reference} ({digest}){signed_by}"))
}

/// What the function is granted. The values of variables are left out, as they may be secrets; `--json` shows them.
fn grants(config: &FunctionConfig) -> Vec<String> {
    let grants: Vec<_> = config.grants().iter().map(ToString::to_string).collect();
    if grants.is_empty() { vec!["none".to_owned()] } else { grants }
}

fn bytes(size: u64) -> String {
    nebula_runtime::ByteSize(size).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_example_is_one_word_of_the_shell() {
        let cases = [
            (json!("text"), "text"),
            (json!("two words"), "'two words'"),
            (json!("it's"), r"'it'\''s'"),
            // Without quotation marks it would be a number.
            (json!("10"), "'\"10\"'"),
            (json!(""), "''"),
            (json!(1.5), "1.5"),
            (json!({"sku": "a"}), r#"'{"sku":"a"}'"#),
        ];
        for (example, expected) in cases {
            assert_eq!(argument(&example), expected);
        }
    }
}
