//! The page for people: every function, with a form to try it.

use std::fmt::{self, Display, Formatter};

use nebula_runtime::{ByteSize, Export, FunctionInfo, Kind, ListedFunction, UnreadableFunction};

use super::grants::Grants;
use crate::{metrics::VersionCalls, paths::segment, selection::Page};

/// The page's own style and script. They are inline, and the content security policy names them by their digests.
pub(super) const STYLE: &str = include_str!("page.css");
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The page that lists these functions. Everything that came from a publisher is escaped.
pub(super) struct Html<'a>(pub(super) &'a Page);

impl Display for Html<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let count = self.count();
        write!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Nebula: {count}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <header><div><h1>Nebula</h1><p class=\"soft\">{count}</p></div>\n"
        )?;
        self.filter(f)?;
        f.write_str("</header>\n<main>\n")?;
        self.main(f)?;
        write!(
            f,
            "</main>\n<footer class=\"soft\"><a href=\"healthz\">health</a> · <a href=\"readyz\">readiness</a> · \
             <a href=\"metrics\">metrics</a></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
        )
    }
}

impl Html<'_> {
    fn count(&self) -> String {
        match (self.0.functions.len(), self.0.total) {
            (1, 1) => "1 function".to_owned(),
            (shown, total) if shown == total => format!("{total} functions"),
            (shown, total) => format!("{shown} of {total} functions"),
        }
    }

    /// A field that hides the functions whose names do not contain the text that is typed. Where there are more pages,
    /// Enter asks the server for the names that begin with that text.
    fn filter(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Page { functions, total, .. } = self.0;
        if functions.is_empty() {
            return Ok(());
        }
        let (label, partial) = if functions.len() < *total {
            ("Filter this page by name, or press Enter to find names on all pages", " data-partial")
        } else {
            ("Filter by name", "")
        };
        writeln!(f, "<label>{label}<input id=\"filter\" type=\"search\" autocomplete=\"off\"{partial}></label>")
    }

    fn main(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Page { functions, total, next, .. } = self.0;
        match (functions.as_slice(), total) {
            ([], 0) => f.write_str(
                "<p>No function is published yet. Publish one with <code>nebula publish NAME FILE</code>.</p>\n",
            )?,
            ([], _) => f.write_str("<p>There are no more functions.</p>\n")?,
            _ => f.write_str(
                "<noscript><p>The forms on this page need JavaScript. The functions do not.</p></noscript>\n",
            )?,
        }
        functions.iter().try_for_each(|listed| entry(f, listed, self.0))?;
        match next {
            Some(next) => writeln!(f, "<nav><a rel=\"next\" href=\"{}\">Next page</a></nav>", Escaped(next)),
            None => Ok(()),
        }
    }
}

fn entry(f: &mut Formatter<'_>, listed: &ListedFunction, page: &Page) -> fmt::Result {
    match listed {
        Ok(function) => article(f, function, page.calls_of(function)),
        Err(unreadable) => damaged(f, unreadable),
    }
}

fn damaged(f: &mut Formatter<'_>, UnreadableFunction { name, error, .. }: &UnreadableFunction) -> fmt::Result {
    let detail = Escaped(error.detail());
    writeln!(
        f,
        "<article id=\"{name}\">\n<h2><a href=\"#{name}\">{name}</a></h2>\n\
         <p class=\"failed\">It cannot be read: {detail}.</p>\n</article>"
    )
}

fn article(f: &mut Formatter<'_>, function: &FunctionInfo, calls: &[VersionCalls]) -> fmt::Result {
    let FunctionInfo { name, version, digest, kind, .. } = function;
    let size = ByteSize::b(function.size);
    let aliases: String = function.targets.iter().map(|(alias, target)| format!(" · {alias}: {target}")).collect();
    write!(
        f,
        "<article id=\"{name}\">\n<h2><a href=\"#{name}\">{name}</a><span class=\"kind\">{kind}</span></h2>\n\
         <p class=\"soft\">version {version}{aliases} · {size} · <code>{digest}</code></p>\n",
    )?;
    called(f, calls)?;
    granted(f, &Grants::of(&function.config))?;
    match kind {
        Kind::Core => function.exports.iter().try_for_each(|export| core_form(f, function, export))?,
        Kind::Command => {
            stream_form(f, function, "stdin -> stdout")?;
            function.exports.iter().try_for_each(|export| core_form(f, function, export))?;
        }
        Kind::Typed => function.exports.iter().try_for_each(|export| typed_form(f, function, export))?,
        Kind::Http => stream_form(f, function, "request -> response")?,
    }
    f.write_str("</article>\n")
}

/// The calls of each version since the server was started.
fn called(f: &mut Formatter<'_>, calls: &[VersionCalls]) -> fmt::Result {
    if calls.is_empty() {
        return Ok(());
    }
    let version = |VersionCalls { version, calls, failures, .. }: &VersionCalls| {
        let failed =
            if *failures > 0 { format!(", <span class=\"failed\">{failures} failed</span>") } else { String::new() };
        format!("version {version}: {calls}{failed}")
    };
    let versions: Vec<_> = calls.iter().map(version).collect();
    writeln!(f, "<p class=\"soft\">calls of {}</p>", versions.join(" · "))
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

/// A field for each parameter.
fn core_form(f: &mut Formatter<'_>, function: &FunctionInfo, export: &Export) -> fmt::Result {
    open_form(f, &path(function, export), &export.to_string())?;
    for (index, kind) in export.params.iter().enumerate() {
        let (number, kind) = (index + 1, Escaped(kind));
        let keys = if export.params.get(index).is_some_and(|kind| kind.starts_with('i')) { "numeric" } else { "text" };
        writeln!(
            f,
            "<label>{number}: {kind}<input data-argument required size=\"12\" inputmode=\"{keys}\" autocomplete=\"off\"></label>"
        )?;
    }
    close_form(f)
}

/// A field for the arguments as JSON, which holds an example of them.
fn typed_form(f: &mut Formatter<'_>, function: &FunctionInfo, export: &Export) -> fmt::Result {
    let Some(typed) = &export.typed else { return Ok(()) };
    if let Some(why) = &typed.refused {
        return writeln!(f, "<p><code>{}</code> cannot be called: {}</p>", Escaped(&export.name), Escaped(why));
    }
    open_form(f, &path(function, export), &typed.wit)?;
    let examples: Vec<_> = typed.params.iter().map(|param| param.example.to_string()).collect();
    let example = match examples.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    };
    if let Some(example) = example {
        let example = Escaped(&example);
        writeln!(
            f,
            "<label class=\"wide\">JSON<textarea rows=\"3\" spellcheck=\"false\">{example}</textarea></label>"
        )?;
    }
    close_form(f)
}

/// A sole export needs no name.
fn path(function: &FunctionInfo, export: &Export) -> String {
    match function.exports.len() {
        1 => function.name.to_string(),
        _ => format!("{}:{}", function.name, export.name),
    }
}

/// A field for a path, and one for bytes.
fn stream_form(f: &mut Formatter<'_>, function: &FunctionInfo, signature: &str) -> fmt::Result {
    open_form(f, function.name.as_str(), signature)?;
    f.write_str(
        "<label>Path<input data-path size=\"12\" autocomplete=\"off\"></label>\n\
         <label class=\"wide\">Input<textarea rows=\"1\" spellcheck=\"false\"></textarea></label>\n\
         <label>or a file<input type=\"file\"></label>\n",
    )?;
    close_form(f)
}

fn open_form(f: &mut Formatter<'_>, path: &str, signature: &str) -> fmt::Result {
    // What is left of a segment needs no escaping in HTML.
    let (path, signature) = (segment(path), Escaped(signature));
    writeln!(
        f,
        "<form data-function=\"api/{path}\" aria-label=\"{signature}\">\n<code>{signature}</code>\n<div class=\"fields\">"
    )
}

fn close_form(f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str("<button>Run</button>\n</div>\n<output></output>\n</form>\n")
}

/// Text as HTML shows it, in elements and in quoted attributes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            other => write!(f, "{other}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::index::tests::function;

    fn page(functions: impl IntoIterator<Item = FunctionInfo>) -> Page {
        let functions: Vec<ListedFunction> = functions.into_iter().map(Ok).collect();
        Page { total: functions.len(), functions, ..Page::default() }
    }

    fn html(functions: impl IntoIterator<Item = FunctionInfo>) -> String {
        Html(&page(functions)).to_string()
    }

    fn forms(function: FunctionInfo) -> Vec<String> {
        let page = html([function]);
        let starts =
            |line: &&str| line.starts_with("<form") || line.starts_with("<code") || line.starts_with("<label>1");
        page.lines().filter(starts).map(str::to_owned).collect()
    }

    #[test]
    fn every_export_of_a_core_module_has_a_form_with_its_parameters() {
        let exports = json!([
            {"name": "add", "params": ["i32", "i32"], "results": ["i32"]},
            {"name": "half", "params": ["f64"], "results": ["f64", "f64"]},
        ]);
        let expected = [
            "<form data-function=\"api/calc:add\" aria-label=\"add(i32, i32) -&gt; i32\">",
            "<code>add(i32, i32) -&gt; i32</code>",
            "<label>1: i32<input data-argument required size=\"12\" inputmode=\"numeric\" autocomplete=\"off\"></label>",
            "<form data-function=\"api/calc:half\" aria-label=\"half(f64) -&gt; (f64, f64)\">",
            "<code>half(f64) -&gt; (f64, f64)</code>",
            "<label>1: f64<input data-argument required size=\"12\" inputmode=\"text\" autocomplete=\"off\"></label>",
        ];
        assert_eq!(forms(function("calc", "core", &exports)), expected);
    }

    #[test]
    fn a_hostile_export_is_only_text() {
        let name = "\"><script>alert('x&y')</script>";
        let exports = json!([{"name": name, "params": [], "results": []}, {"name": "b", "params": [], "results": []}]);
        let text = "&quot;&gt;&lt;script&gt;alert(&#39;x&amp;y&#39;)&lt;/script&gt;()";
        let path = "api/bad:%22%3E%3Cscript%3Ealert%28%27x%26y%27%29%3C%2Fscript%3E";
        let expected = [
            format!("<form data-function=\"{path}\" aria-label=\"{text}\">"),
            format!("<code>{text}</code>"),
            "<form data-function=\"api/bad:b\" aria-label=\"b()\">".to_owned(),
            "<code>b()</code>".to_owned(),
        ];
        assert_eq!(forms(function("bad", "core", &exports)), expected);
    }

    #[test]
    fn a_typed_function_has_a_form_with_an_example_of_its_arguments() {
        let param =
            |example: serde_json::Value| json!({"name": "v", "required": true, "schema": {}, "example": example});
        let exports = json!([
            {"name": "add", "params": [], "results": [], "typed":
                {"wit": "add: func(v: list<string>)", "params": [param(json!(["<text>"]))]}},
            {"name": "open", "params": [], "results": [], "typed": {"refused": "its result holds a resource"}},
        ]);
        let page = html([function("shop", "typed", &exports)]);
        let shown = [
            "<form data-function=\"api/shop:add\" aria-label=\"add: func(v: list&lt;string&gt;)\">",
            ">[&quot;&lt;text&gt;&quot;]</textarea>",
            "<p><code>open</code> cannot be called: its result holds a resource</p>",
        ];
        for shown in shown {
            assert!(page.contains(shown), "{shown}: {page}");
        }
    }

    #[test]
    fn aliases_are_shown_with_their_weights_and_versions_with_their_calls_and_failures() {
        let calls = json!([{"version": 3, "calls": 95, "failures": 0}, {"version": 4, "calls": 5, "failures": 2}]);
        let mut shop = function("shop", "command", &json!([]));
        shop.targets = serde_json::from_value(json!({"prod": {"weights": {"3": 95, "4": 5}}})).unwrap();
        let calls = serde_json::from_value(calls).unwrap();
        let called = Page { calls: [(shop.name.clone(), calls)].into(), ..page([shop]) };
        let shown = Html(&called).to_string();
        assert!(shown.contains("version 3 · prod: 3=95 4=5 · 2.0 KiB"), "{shown}");
        let counts = "calls of version 3: 95 · version 4: 5, <span class=\"failed\">2 failed</span>";
        assert!(shown.contains(counts), "{shown}");
    }

    #[test]
    fn grants_are_shown_as_text_and_a_function_without_them_shows_none() {
        let mut shop = function("shop", "command", &json!([]));
        assert!(!html([shop.clone()]).contains("Grants"));
        shop.config = serde_json::from_value(json!({
            "limits": {}, "env": {"<b>": "secret"}, "keyvalue": {"a": "state", "b": "state"}
        }))
        .unwrap();
        let shown = html([shop]);
        let grants = "<dl class=\"soft\" aria-label=\"Grants\">\n\
                      <dt>key-value stores</dt><dd>a: service state, read and write</dd><dd>b: service state, read and write</dd>\n\
                      <dt>variables</dt><dd>&lt;b&gt;</dd>\n</dl>\n";
        assert!(shown.contains(grants) && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_command_takes_text_or_a_file() {
        let page = html([function("resize", "command", &json!([]))]);
        assert_eq!((page.matches("<textarea").count(), page.matches("type=\"file\"").count()), (1, 1));
    }

    #[test]
    fn without_functions_the_page_says_how_to_publish_one() {
        assert!(html([]).contains("<code>nebula publish NAME FILE</code>"));
    }

    #[test]
    fn a_page_of_several_says_so_and_links_to_the_next() {
        let one = page([function("resize", "command", &json!([]))]);
        let partial = Html(&Page { total: 2, next: Some("?after=resize&limit=1".to_owned()), ..one }).to_string();
        let shown = [
            "<p class=\"soft\">1 of 2 functions</p>",
            "autocomplete=\"off\" data-partial>",
            "<a rel=\"next\" href=\"?after=resize&amp;limit=1\">Next page</a>",
        ];
        assert_eq!(shown.map(|shown| partial.contains(shown)), [true; 3], "{partial}");
        let whole = html([function("resize", "command", &json!([]))]);
        assert_eq!(shown.map(|shown| whole.contains(shown)), [false; 3], "{whole}");
    }
}
