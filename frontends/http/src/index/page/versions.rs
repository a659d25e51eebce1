//! The versions of one function that callers reach or have reached: the latest one, and those of aliases and calls.

use std::{
    collections::BTreeMap,
    fmt::{self, Formatter},
};

use nebula_runtime::{AliasName, AliasTarget, FunctionInfo};

use crate::metrics::VersionCalls;

/// The versions of one function that callers reach or have reached, by number.
pub(super) struct Versions<'a> {
    latest: u64,
    rows: BTreeMap<u64, Row<'a>>,
}

/// One version.
#[derive(Default)]
struct Row<'a> {
    aliases: Vec<(&'a AliasName, &'a AliasTarget)>,
    calls: u64,
    failures: u64,
}

impl<'a> Versions<'a> {
    pub(super) fn of(function: &'a FunctionInfo, calls: &[VersionCalls]) -> Self {
        let mut rows = BTreeMap::from([(function.version, Row::default())]);
        for (alias, target) in &function.targets {
            for (version, _) in target.weights() {
                rows.entry(version).or_insert_with(Row::default).aliases.push((alias, target));
            }
        }
        for VersionCalls { version, calls, failures, .. } in calls {
            let row = rows.entry(*version).or_insert_with(Row::default);
            (row.calls, row.failures) = (*calls, *failures);
        }
        Self { latest: function.version, rows }
    }

    /// Writes a table, the newest version first. The page's script writes the numbers of calls anew as they change.
    pub(super) fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(
            "<table class=\"versions\">\n<thead><tr><th scope=\"col\">Version</th><th scope=\"col\">Aliases</th>\
             <th scope=\"col\">Calls</th><th scope=\"col\">Failed</th></tr></thead>\n<tbody>\n",
        )?;
        self.rows.iter().rev().try_for_each(|(version, row)| self.row(f, *version, row))?;
        f.write_str("</tbody>\n</table>\n")
    }

    fn row(&self, f: &mut Formatter<'_>, version: u64, row: &Row<'_>) -> fmt::Result {
        let latest = (version == self.latest).then(|| "latest".to_owned());
        let aliases = row.aliases.iter().map(|(alias, target)| alias_of(alias, target, version));
        let aliases = latest.into_iter().chain(aliases).collect::<Vec<_>>().join(", ");
        let Row { calls, failures, .. } = row;
        let failed = if *failures > 0 { " class=\"failed\"" } else { "" };
        writeln!(
            f,
            "<tr data-version=\"{version}\"><th scope=\"row\">{version}</th><td>{aliases}</td><td>{calls}</td>\
             <td{failed}>{failures}</td></tr>"
        )
    }
}

/// An alias, and which part of its calls the version gets.
fn alias_of(alias: &AliasName, target: &AliasTarget, version: u64) -> String {
    let total: u64 = target.weights().map(|(_, weight)| u64::from(weight)).sum();
    let own: u64 = target.weights().filter(|(number, _)| *number == version).map(|(_, weight)| u64::from(weight)).sum();
    let sticky = target.sticky_header().map(|header| format!(" by {header}")).unwrap_or_default();
    if own == total { alias.to_string() } else { format!("{alias} ({own} of {total} calls{sticky})") }
}
