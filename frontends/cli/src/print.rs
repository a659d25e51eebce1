//! Writes results to stdout and failures to stderr.

use std::{
    error::Error,
    io::{self, Write as _},
    mem,
};

use nebula_runtime::{AliasMove, AliasTarget, FunctionInfo, FunctionName, stderr};
use serde::Serialize;

use crate::failure::Failure;

/// Writes a command's whole result. It is no failure if the reader closes the pipe.
pub(crate) fn result(text: &str) -> Result<(), Failure> {
    part(text).map(drop)
}

/// Writes a part of a command's result. Returns false if the reader has closed the pipe.
pub(crate) fn part(text: &str) -> Result<bool, Failure> {
    octets(text.as_bytes())
}

/// The same for bytes that need not be text.
pub(crate) fn octets(bytes: &[u8]) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Standard(error)),
    }
}

/// Writes a command's whole result as JSON, for programs and for people.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    result(&(pretty(value)? + "\n"))
}

/// JSON over several lines, without a line feed at the end.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Standard(error.into()))
}

/// The elements of a JSON array that is printed in parts.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    /// Whether an element is printed already.
    begun: bool,
}

impl Elements {
    /// The text of the next elements, with the bracket or the comma before each.
    pub(crate) fn part<T: Serialize>(&mut self, part: &[T]) -> Result<String, Failure> {
        let mut text = String::new();
        for element in part {
            text += if mem::replace(&mut self.begun, true) { ",\n  " } else { "[\n  " };
            text += &pretty(element)?.replace('\n', "\n  ");
        }
        Ok(text)
    }

    /// The text after the last element.
    pub(crate) fn end(&self) -> &'static str {
        if self.begun { "\n]\n" } else { "[]\n" }
    }
}

/// A list that is printed in parts: as one JSON array, or with a line for each element.
pub(crate) struct List {
    json: bool,
    elements: Elements,
}

impl List {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, elements: Elements::default() }
    }

    /// Prints the next elements. `line` has the line feed at its end. Returns false if the reader has closed the pipe.
    pub(crate) fn print<T: Serialize>(&mut self, elements: &[T], line: impl Fn(&T) -> String) -> Result<bool, Failure> {
        part(&if self.json { self.elements.part(elements)? } else { elements.iter().map(line).collect() })
    }

    /// Ends the list.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        if self.json { result(self.elements.end()) } else { Ok(()) }
    }
}

/// A name on a line of its own. One with a character that a line cannot have is written as JSON.
pub(crate) fn name(name: &str) -> String {
    let is_plain = !name.starts_with('"') && !name.contains(char::is_control);
    if is_plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

/// A function's exports, as many as fit on a line.
pub(crate) fn exports(info: &FunctionInfo) -> String {
    const ROOM: usize = 60;
    let mut shown = String::new();
    for (index, export) in info.exports.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let export = export.to_string();
        if index > 0 && shown.len() + separator.len() + export.len() > ROOM {
            return format!("{shown}, and {} more", info.exports.len() - index);
        }
        shown = shown + separator + &export;
    }
    shown
}

/// Writes what became of an alias. `unchanged` ends the line where it points to the same as before.
pub(crate) fn alias_move(name: &FunctionName, moved: &AliasMove, unchanged: &str, json: bool) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Object<'a> {
        #[serde(flatten)]
        moved: &'a AliasMove,
        changed: bool,
    }
    match (json, moved.changed()) {
        (true, changed) => self::json(&Object { moved, changed }),
        (false, true) => result(&alias_line(name, moved)),
        (false, false) => {
            result(&format!("unchanged: {name}@{}: {}{unchanged}\n", moved.alias, target(moved.to.as_ref())))
        }
    }
}

/// A line that says what became of an alias: `treats@prod: 2 -> 3`.
pub(crate) fn alias_line(name: &FunctionName, AliasMove { alias, from, to, .. }: &AliasMove) -> String {
    format!("{name}@{alias}: {} -> {}\n", target(from.as_ref()), target(to.as_ref()))
}

fn target(target: Option<&AliasTarget>) -> String {
    target.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// A number of things: `1 blob`, `3 blobs`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A table of these rows, with aligned columns.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> String {
    Columns([0; N]).lines(rows)
}

/// The widths of a table's columns, for rows that come in parts: a column grows with its cells, and never shrinks.
pub(crate) struct Columns<const N: usize>(pub(crate) [usize; N]);

impl<const N: usize> Columns<N> {
    /// The lines of further rows.
    pub(crate) fn lines(&mut self, rows: &[[String; N]]) -> String {
        for row in rows {
            self.0.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
        }
        rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &[String; N]) -> String {
        let cells: Vec<_> = row.iter().zip(self.0).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    }
}

/// Writes one line to stderr, after all that was written there before. A failure to write is ignored.
pub(crate) fn note(line: impl std::fmt::Display) {
    stderr::note(line);
}

/// Writes a failure, its causes, and the stack of a guest that failed to stderr.
pub(crate) fn error(failure: &Failure) {
    note(format_args!("error: {}{}", chain(failure), stack(failure)));
}

/// The functions that ran when a guest failed, each on a line of its own.
fn stack(failure: &Failure) -> String {
    let Failure::Invoke(error) = failure else { return String::new() };
    error.stack().iter().map(|frame| format!("\n  in {frame}")).collect()
}

/// A failure and its causes, each cause on a line of its own. A cause whose message is a part of an earlier one is left
/// out: some messages contain those of their causes.
pub(crate) fn chain(failure: &dyn Error) -> String {
    let mut messages = vec![failure.to_string()];
    let mut cause = failure.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !messages.iter().any(|earlier| earlier.contains(message.trim())) {
            messages.push(message);
        }
        cause = error.source();
    }
    messages.iter().map(|message| indented(message)).collect::<Vec<_>>().join("\n  caused by: ")
}

/// The first lines of a message: a whole backtrace is seldom worth a screen.
fn indented(message: &str) -> String {
    const SHOWN: usize = 8;
    let lines: Vec<_> = message.trim().lines().collect();
    let more = (lines.len() > SHOWN).then_some("…");
    lines.into_iter().take(SHOWN).chain(more).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use nebula_runtime::{ErrorKind, InvokeError};

    use super::*;
    use crate::source::Source;

    fn failure(kind: ErrorKind, detail: &str, cause: &str) -> Failure {
        Failure::Invoke(InvokeError::new(kind, detail).with_source(io::Error::other(cause.to_owned())))
    }

    #[test]
    fn a_failure_is_printed_with_its_kind_and_each_cause_once() {
        let invalid = failure(ErrorKind::InvalidModule, "not WebAssembly: line 1\nline 2", "line 1\nline 2");
        let publish = Failure::Publish {
            function: "treats".parse().unwrap(),
            from: Source::File("treats.wat".into()),
            source: Box::new(invalid),
        };
        let expected = "failed to publish function treats from treats.wat\n  \
                        caused by: invalid_module: not WebAssembly: line 1\n    line 2";
        assert_eq!(chain(&publish), expected);
    }

    #[test]
    fn a_name_is_one_line() {
        let cases = [("shop/a b", "shop/a b"), ("a\nb", r#""a\nb""#), ("\"a\"", r#""\"a\"""#)];
        for (written, expected) in cases {
            assert_eq!(name(written), expected);
        }
    }

    #[test]
    fn a_long_cause_is_cut() {
        let trap =
            failure(ErrorKind::GuestFault, "it trapped", &(1..=20).map(|line| format!("{line}\n")).collect::<String>());
        let expected =
            "guest_fault: it trapped\n  caused by: 1\n    2\n    3\n    4\n    5\n    6\n    7\n    8\n    …";
        assert_eq!(chain(&trap), expected);
    }
}
