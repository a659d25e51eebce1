//! One function on the page.

use std::fmt::{self, Formatter};

use nebula_runtime::{ByteSize, Export, FunctionInfo, Kind, ListedFunction, UnreadableFunction};

use super::{
    call_form::{core_form, stream_form, typed_form},
    versions::Versions,
};
use crate::{console::Escaped, index::grants::Grants, selection::Page};

/// On a page of more functions, only their names and numbers show at first.
const OPEN_FUNCTIONS: usize = 5;

/// Of a function with more exports, only their signatures show at first.
const OPEN_EXPORTS: usize = 3;

/// A function, or why it cannot be read.
pub(super) fn entry(f: &mut Formatter<'_>, listed: &ListedFunction, page: &Page) -> fmt::Result {
    match listed {
        Ok(function) => article(f, function, page),
        Err(unreadable) => damaged(f, unreadable),
    }
}

fn damaged(f: &mut Formatter<'_>, UnreadableFunction { name, error, .. }: &UnreadableFunction) -> fmt::Result {
    let detail = Escaped(error.detail());
    writeln!(
        f,
        "<article id=\"{name}\">\n<h2>{name}</h2>\n<p class=\"failed\">It cannot be read: {detail}.</p>\n</article>"
    )
}

fn article(f: &mut Formatter<'_>, function: &FunctionInfo, page: &Page) -> fmt::Result {
    let FunctionInfo { name, digest, kind, .. } = function;
    let (size, open) = (ByteSize::b(function.size), opened(page.functions.len() <= OPEN_FUNCTIONS));
    writeln!(
        f,
        "<article id=\"{name}\">\n<details class=\"function\"{open}>\n\
         <summary><h2>{name}</h2><span class=\"kind\">{kind}</span></summary>\n\
         <p class=\"soft\">{size} · <code>{digest}</code> · <a href=\"#{name}\">link</a></p>"
    )?;
    Versions::of(function, page.calls_of(function)).write(f)?;
    granted(f, &Grants::of(&function.config))?;
    forms(f, function)?;
    f.write_str("</details>\n</article>\n")
}

/// The forms that call the function.
fn forms(f: &mut Formatter<'_>, function: &FunctionInfo) -> fmt::Result {
    let exports = &function.exports;
    let form = |f: &mut Formatter<'_>, export: &Export| match &export.typed {
        Some(typed) => typed_form(f, function, export, typed),
        None => core_form(f, function, export),
    };
    match function.kind {
        Kind::Core | Kind::Typed => {}
        Kind::Command => stream_form(f, function, "stdin -> stdout")?,
        Kind::Http => return stream_form(f, function, "request -> response"),
    }
    if exports.len() <= OPEN_EXPORTS {
        return exports.iter().try_for_each(|export| form(f, export));
    }
    exports.iter().try_for_each(|export| {
        writeln!(f, "<details class=\"export\"><summary><code>{}</code></summary>", Escaped(&export.name))?;
        form(f, export)?;
        f.write_str("</details>\n")
    })
}

fn opened(open: bool) -> &'static str {
    if open { " open" } else { "" }
}

/// What the function may use outside of itself.
fn granted(f: &mut Formatter<'_>, grants: &Grants<'_>) -> fmt::Result {
    let rows = grants.rows();
    if rows.is_empty() {
        return Ok(());
    }
    f.write_str("<dl class=\"soft\" aria-label=\"Grants\">\n")?;
    for (label, lines) in rows {
        write!(f, "<dt>{label}</dt>")?;
        lines.iter().try_for_each(|line| write!(f, "<dd>{}</dd>", Escaped(line)))?;
        f.write_str("\n")?;
    }
    f.write_str("</dl>\n")
}
