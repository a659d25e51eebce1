//! `nebula list`.

use std::mem;

use clap::Args;
use futures_util::TryStreamExt as _;
use nebula_local::ExitCode;
use nebula_runtime::{ByteSize, FunctionInfo, ListedFunction, UnreadableFunction};
use serde::Serialize;

use crate::{
    failure::Failure,
    global::Global,
    print::{self, Columns, Elements},
    releases::Listing,
};

const EXAMPLES: &str = "\
Examples:
  nebula list
  nebula list --json | jq -r '.[].name'

If a function cannot be read, the list has the reason instead. A warning on
stderr counts such functions, and the exit code is 0.";

/// How many functions are read before they are printed. A list of up to this many has all its columns aligned. In a
/// longer list only the column of names is, because only the names are known beforehand.
const PART: usize = 100;

/// Lists the published functions
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Print a JSON array of the functions
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints the latest version of each function, while the functions are read.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let releases = global.places.releases().await?;
        let Listing { longest_name, is_empty, functions } = releases.list().await?;
        if is_empty && !self.json {
            print::note(format_args!("no functions in {}; nebula publish NAME FILE makes one", releases.place()));
            return Ok(ExitCode::OK);
        }
        let mut output = Output::new(self.json, longest_name);
        let (mut parts, mut unreadable) = (functions.try_chunks(PART).map_err(|partial| partial.1), 0);
        while let Some(part) = parts.try_next().await? {
            unreadable += part.iter().filter(|listed| listed.is_err()).count();
            if !print::part(&output.part(&part)?)? {
                return Ok(ExitCode::OK);
            }
        }
        if output.first && !self.json {
            print::note(format_args!("no functions in {}: all are removed", releases.place()));
        }
        print::result(output.end())?;
        warn(unreadable);
        Ok(ExitCode::OK)
    }
}

fn warn(unreadable: usize) {
    match unreadable {
        0 => {}
        1 => print::note("warning: 1 function cannot be read"),
        several => print::note(format_args!("warning: {several} functions cannot be read")),
    }
}

/// A list that is printed in parts.
struct Output {
    json: bool,
    /// Whether nothing is printed yet.
    first: bool,
    elements: Elements,
    columns: Columns<6>,
}

impl Output {
    fn new(json: bool, longest_name: usize) -> Self {
        Self { json, first: true, elements: Elements::default(), columns: Columns([longest_name, 0, 0, 0, 0, 0]) }
    }

    /// The text of the next functions, with the header or the separator before them.
    fn part(&mut self, part: &[ListedFunction]) -> Result<String, Failure> {
        let first = mem::replace(&mut self.first, false);
        if self.json {
            return self.elements.part(&part.iter().map(Element::of).collect::<Vec<_>>());
        }
        let header = first.then(|| ["NAME", "VERSION", "ALIASES", "KIND", "SIZE", "EXPORTS"].map(str::to_owned));
        let rows: Vec<_> = header.into_iter().chain(part.iter().map(row)).collect();
        Ok(self.columns.lines(&rows))
    }

    fn end(&self) -> &'static str {
        if self.json { self.elements.end() } else { "" }
    }
}

/// A function, or why it cannot be read.
#[derive(Serialize)]
#[serde(untagged)]
enum Element<'a> {
    Function(&'a FunctionInfo),
    Unreadable(&'a UnreadableFunction),
}

impl<'a> Element<'a> {
    fn of(listed: &'a ListedFunction) -> Self {
        listed.as_ref().map_or_else(Self::Unreadable, Self::Function)
    }
}

fn row(listed: &ListedFunction) -> [String; 6] {
    let nothing = || "-".to_owned();
    match listed {
        Ok(info) => {
            let (version, size) = (info.version.to_string(), ByteSize(info.size).to_string());
            [info.name.to_string(), version, aliases(info), info.kind.to_string(), size, print::exports(info)]
        }
        Err(UnreadableFunction { name, error, .. }) => {
            let reason = format!("cannot be read: {}", error.detail());
            [name.to_string(), nothing(), nothing(), nothing(), nothing(), reason]
        }
    }
}

/// The aliases, and what each points to.
fn aliases(info: &FunctionInfo) -> String {
    let aliases: Vec<_> = info.targets.iter().map(|(alias, target)| format!("{alias}: {target}")).collect();
    if aliases.is_empty() { "-".to_owned() } else { aliases.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> ListedFunction {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let info = serde_json::json!({
            "name": name, "version": 3, "aliases": [], "size": 2_048, "kind": "core", "digest": digest, "exports": [],
            "config": {"limits": {}}, "targets": {"prod": {"weights": {"2": 95, "3": 5}}},
        });
        Ok(serde_json::from_value(info).unwrap())
    }

    fn printed(json: bool, parts: &[&[&str]]) -> String {
        let longest_name = parts.iter().copied().flatten().map(|name| name.len()).max().unwrap_or_default();
        let mut output = Output::new(json, longest_name);
        let mut text = String::new();
        for part in parts {
            let part: Vec<_> = part.iter().map(|name| function(name)).collect();
            text += &output.part(&part).unwrap();
        }
        text + output.end()
    }

    #[test]
    fn a_table_in_parts_has_one_header_and_room_for_the_longest_name() {
        let expected = "NAME    VERSION  ALIASES         KIND  SIZE     EXPORTS\n\
                        a       3        prod: 2=95 3=5  core  2.0 KiB\n\
                        longer  3        prod: 2=95 3=5  core  2.0 KiB\n";
        assert_eq!(printed(false, &[&["a"], &["longer"]]), expected);
    }

    #[test]
    fn json_in_parts_is_the_same_as_in_one() {
        let cases: [&[&[&str]]; 3] = [&[], &[&["a", "b", "c"]], &[&["a"], &["b", "c"]]];
        for parts in cases {
            let whole: Vec<_> = parts.iter().copied().flatten().map(|name| function(name).unwrap()).collect();
            assert_eq!(printed(true, parts), serde_json::to_string_pretty(&whole).unwrap() + "\n");
        }
    }
}
