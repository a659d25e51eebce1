//! The forms that call a function.

use std::fmt::{self, Formatter};

use nebula_runtime::{Export, FunctionInfo, TypedExport};
use serde_json::json;

use crate::{console::Escaped, paths::segment};

/// A field for each parameter.
pub(super) fn core_form(f: &mut Formatter<'_>, function: &FunctionInfo, export: &Export) -> fmt::Result {
    open_form(f, &path(function, export), &export.to_string())?;
    f.write_str("<div class=\"fields\">\n")?;
    for (number, kind) in (1..).zip(&export.params) {
        let keys = if kind.starts_with('i') { "numeric" } else { "text" };
        let kind = Escaped(kind);
        writeln!(
            f,
            "<label>{number}: {kind}<input data-argument required size=\"12\" inputmode=\"{keys}\" autocomplete=\"off\"></label>"
        )?;
    }
    f.write_str("</div>\n")?;
    close_form(f)
}

/// A field for the arguments as JSON, which holds an example of them. The page's script makes a field for each part of
/// the arguments, by the types that the form has as data.
pub(super) fn typed_form(
    f: &mut Formatter<'_>,
    function: &FunctionInfo,
    export: &Export,
    typed: &TypedExport,
) -> fmt::Result {
    if let Some(why) = &typed.refused {
        return writeln!(f, "<p><code>{}</code> cannot be called: {}</p>", Escaped(&export.name), Escaped(why));
    }
    let (signature, types) = typed.wit.split_once('\n').unwrap_or((&typed.wit, ""));
    open_form(f, &path(function, export), signature)?;
    if let Some(docs) = &typed.docs {
        writeln!(f, "<p class=\"docs\">{}</p>", Escaped(docs))?;
    }
    if !types.is_empty() {
        writeln!(f, "<details class=\"types\"><summary>Types</summary><pre>{}</pre></details>", Escaped(types))?;
    }
    let examples: Vec<_> = typed.params.iter().map(|param| param.example.to_string()).collect();
    match examples.as_slice() {
        [] => {}
        [only] => arguments(f, typed, only)?,
        several => arguments(f, typed, &format!("[{}]", several.join(", ")))?,
    }
    close_form(f)
}

fn arguments(f: &mut Formatter<'_>, typed: &TypedExport, example: &str) -> fmt::Result {
    let param = |param: &nebula_runtime::TypedParam| json!({"name": param.name, "schema": param.schema});
    let params: Vec<_> = typed.params.iter().map(param).collect();
    // In an element of data, nothing but `<` can end the element.
    let types = json!({"params": params, "types": typed.types}).to_string().replace('<', "\\u003c");
    let example = Escaped(example);
    writeln!(
        f,
        "<script type=\"application/json\">{types}</script>\n<div class=\"typed\"></div>\n\
         <details class=\"json\" open><summary>as JSON</summary><label class=\"wide\">JSON\
         <textarea rows=\"3\" spellcheck=\"false\">{example}</textarea></label></details>"
    )
}

/// A field for a path, and one for bytes.
pub(super) fn stream_form(f: &mut Formatter<'_>, function: &FunctionInfo, signature: &str) -> fmt::Result {
    open_form(f, function.name.as_str(), signature)?;
    f.write_str(
        "<div class=\"fields\"><label>Path<input data-path size=\"12\" autocomplete=\"off\"></label>\n\
         <label class=\"wide\">Input<textarea rows=\"1\" spellcheck=\"false\"></textarea></label>\n\
         <label>or a file<input type=\"file\"></label></div>\n",
    )?;
    close_form(f)
}

/// A sole export needs no name.
fn path(function: &FunctionInfo, export: &Export) -> String {
    match function.exports.len() {
        1 => function.name.to_string(),
        _ => format!("{}:{}", function.name, export.name),
    }
}

fn open_form(f: &mut Formatter<'_>, path: &str, signature: &str) -> fmt::Result {
    // What is left of a segment needs no escaping in HTML.
    let (path, signature) = (segment(path), Escaped(signature));
    writeln!(f, "<form data-function=\"api/{path}\" aria-label=\"{signature}\">\n<code>{signature}</code>")
}

fn close_form(f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str("<button>Run</button>\n<output></output>\n</form>\n")
}
