//! What the page shows of functions.

use nebula_runtime::{FunctionInfo, ListedFunction};
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
    let starts = |line: &&str| line.starts_with("<form") || line.starts_with("<code") || line.starts_with("<label>1");
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
    let param = |example: serde_json::Value| json!({"name": "v", "required": true, "schema": {}, "example": example});
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
    let rows = [
        "<tr data-version=\"4\"><th scope=\"row\">4</th><td>prod (5 of 100 calls)</td><td>5</td><td class=\"failed\">2</td></tr>",
        "<tr data-version=\"3\"><th scope=\"row\">3</th><td>latest, prod (95 of 100 calls)</td><td>95</td><td>0</td></tr>",
    ];
    assert!(shown.contains(&rows.join("\n")), "{shown}");
}

#[test]
fn the_types_of_a_function_are_data_of_its_form_and_cannot_end_the_element() {
    let param = json!({"name": "v", "required": true, "schema": {"description": "</script><b>"}, "example": 1});
    let exports =
        json!([{"name": "a", "params": [], "results": [], "typed": {"wit": "a: func(v: u8)", "params": [param]}}]);
    let page = html([function("shop", "typed", &exports)]);
    let data = r#"{"params":[{"name":"v","schema":{"description":"\u003c/script>\u003cb>"}}],"types":{}}"#;
    assert!(page.contains(&format!("<script type=\"application/json\">{data}</script>")), "{page}");
}

#[test]
fn of_many_functions_and_of_many_exports_the_names_show_first() {
    let export = |name: u32| json!({"name": format!("e{name}"), "params": [], "results": []});
    let exports: Vec<_> = (0..4).map(export).collect();
    let six = html((0..6).map(|number| function(&format!("f{number}"), "core", &json!([export(0)]))));
    assert_eq!((six.matches("<details class=\"function\">").count(), six.matches("class=\"export\"").count()), (6, 0));
    let one = html([function("calc", "core", &json!(exports))]);
    let closed = "<details class=\"export\"><summary><code>e3</code></summary>";
    assert!(one.contains("<details class=\"function\" open>") && one.contains(closed), "{one}");
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
        " data-partial>",
        "<a rel=\"next\" href=\"?after=resize&amp;limit=1\">Next page</a>",
    ];
    assert_eq!(shown.map(|shown| partial.contains(shown)), [true; 3], "{partial}");
    let whole = html([function("resize", "command", &json!([]))]);
    assert_eq!(shown.map(|shown| whole.contains(shown)), [false; 3], "{whole}");
}
