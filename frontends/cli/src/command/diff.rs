//! `nebula diff`.

use std::fmt::Display;

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{ByteSize, Difference, FunctionRef, Setting, SnapshotImage};
use serde_json::Value;

use crate::{failure::Failure, global::Global, print};

const EXAMPLES: &str = "\
Examples:
  nebula diff treats@prod treats       what a release would change
  nebula diff treats@3 treats@4
  nebula diff treats@3 treats@4 --json | jq .grants.added

A line NEW GRANT shows what the second version may use and the first may not.
Values of environment variables are not shown.";

/// Shows how two versions differ: grants, settings and exports
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Diff {
    /// The first version, such as treats@3 or treats@prod
    #[arg(value_name = "NAME@A")]
    from: FunctionRef,
    /// The second version
    #[arg(value_name = "NAME@B")]
    to: FunctionRef,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Diff {
    /// Prints the differences.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let difference = global.places.releases().await?.diff(&self.from, &self.to).await?;
        match self.json {
            true => print::json(&difference)?,
            false => print::result(&text(&difference))?,
        }
        Ok(ExitCode::OK)
    }
}

fn text(difference: &Difference) -> String {
    let Difference { from, to, grants, config, exports, .. } = difference;
    let title = format!("{} version {} -> {} version {}\n", from.name, from.version, to.name, to.version);
    let rows: Vec<_> = grants
        .added
        .iter()
        .map(|grant| ["NEW GRANT".to_owned(), grant.clone()])
        .chain(grants.removed.iter().map(|grant| ["grant gone".to_owned(), grant.clone()]))
        .chain(module(difference))
        .chain(config.iter().map(setting))
        .chain(exports.removed.iter().flat_map(|export| lines("export gone", export)))
        .chain(exports.added.iter().flat_map(|export| lines("new export", export)))
        .collect();
    if rows.is_empty() {
        return title + "  no difference\n";
    }
    let table: String = print::table(&rows).lines().map(|line| format!("  {line}\n")).collect();
    title + &table
}

/// The facts about the module that differ.
fn module(Difference { from, to, .. }: &Difference) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    if from.kind != to.kind {
        rows.push(change("kind", &from.kind, &to.kind));
    }
    if from.digest != to.digest {
        rows.push(change("module", &from.digest, &to.digest));
        rows.push(change("size", &ByteSize(from.size), &ByteSize(to.size)));
    }
    if from.snapshot != to.snapshot {
        let shown = |image: Option<SnapshotImage>| image.map_or_else(|| "none".to_owned(), |it| it.digest.to_string());
        rows.push(change("image", &shown(from.snapshot), &shown(to.snapshot)));
    }
    rows
}

fn change(label: &str, from: &dyn Display, to: &dyn Display) -> [String; 2] {
    [label.to_owned(), format!("{from} -> {to}")]
}

fn setting(Setting { key, from, to, .. }: &Setting) -> [String; 2] {
    let shown = |value: &Option<Value>| value.as_ref().map_or_else(|| "not set".to_owned(), ToString::to_string);
    match (from, to) {
        (None, None) => [key.clone(), "has another value".to_owned()],
        (from, to) => change(key, &shown(from), &shown(to)),
    }
}

/// A signature of several lines, with a label before the first.
fn lines(label: &str, signature: &str) -> Vec<[String; 2]> {
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels.zip(signature.lines()).map(|(label, line)| [label.to_owned(), line.to_owned()]).collect()
}
