//! The page of a server in a browser: forms made of types, live numbers, narrow screens, the keyboard. The tests do
//! nothing where Chromium is not installed.

use nebula_integration_tests::{Browser, Guest, Nebula, Project, Server};

/// A server, and the folder with its store.
struct Served {
    server: Server,
    _project: Project,
}

/// A server of these guests' functions, and a browser that shows its page.
fn shown(guests: &[&str]) -> Option<(Served, Browser)> {
    let mut browser = Browser::start()?;
    let functions: Vec<_> = guests.iter().flat_map(|name| Guest::named(name).unwrap().functions).collect();
    let project = Project::new(&functions);
    let server = Server::start(&Nebula::built(), &project, &[]).unwrap();
    browser.open(&format!("http://{}/", server.address()));
    Some((Served { server, _project: project }, browser))
}

/// Finds the form of an export, and gives it the functions that a person has: to fill a field, and to press a button.
const FORM: &str = "const form = document.querySelector(`form[data-function='api/${name}']`);
    const labels = (text) => [...form.querySelectorAll('.typed label')].filter((label) => label.textContent.startsWith(text));
    const control = (text, index) => labels(text)[index].querySelector('input, textarea, select');
    const fill = (text, value, index = 0) => {
        const field = control(text, index);
        if (field.type === 'checkbox') field.click();
        else field.value = value;
        for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));
    };
    const choose = (label, value) => {
        const field = form.querySelector(`[aria-label='${label}']`);
        field.value = value;
        field.dispatchEvent(new Event('change', { bubbles: true }));
    };
    const press = (label) => form.querySelector(`[aria-label='${label}']`).click();";

/// Calls an export by its form, after `fill`, and returns the JSON that was sent and the JSON that was answered.
fn called(browser: &mut Browser, name: &str, fill: &str) -> (String, String) {
    browser.run(&format!(
        "(() => {{ const name = '{name}'; {FORM}
            document.querySelectorAll('details').forEach((details) => details.open = true);
            prepareForms(document);
            {fill}
            form.querySelector('output').replaceChildren();
            form.requestSubmit(); }})()"
    ));
    let output = format!("document.querySelector(`form[data-function='api/{name}'] output`)");
    browser.wait_for(&format!("{output}.querySelector('pre')"));
    let text = |script: String, browser: &mut Browser| browser.run(&script).as_str().unwrap().to_owned();
    let sent = format!("document.querySelector(`form[data-function='api/{name}'] .json textarea`).value");
    let compact = |json: String| serde_json::from_str::<serde_json::Value>(&json).unwrap_or(json.into()).to_string();
    (compact(text(sent, browser)), compact(text(format!("{output}.querySelector('pre').textContent"), browser)))
}

#[test]
fn a_form_of_fields_calls_a_function_of_records_lists_variants_and_options() {
    let Some((_served, mut browser)) = shown(&["shop"]) else { return };
    let fill = "press('Add an item to items');
        fill('name', 'apple'); fill('amount', '1.5');
        fill('name', 'egg', 1); fill('amount', '6', 1);
        choose('payment: the case', 'voucher');
        fill('1', '7'); fill('2', '100');
        fill('greeting', 'Cheers', 1);";
    let (sent, answered) = called(&mut browser, "shop:place", fill);
    let expected = r#"{"greeting":"Cheers","items":[{"amount":1.5,"name":"apple"},{"amount":6,"name":"egg"}],"payment":{"voucher":[7,100]}}"#;
    assert_eq!(sent, expected);
    let receipt = r#"{"care":["fragile"],"greeting":"Cheers","lines":[["apple",480],["egg",210]],"total":590}"#;
    assert_eq!(answered, receipt);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn every_wit_type_has_a_field_and_the_json_follows_it() {
    let Some((_served, mut browser)) = shown(&["typed-all"]) else { return };
    let cases = [
        ("bools", "fill('value', false);", "false"),
        ("s64s", "fill('value', '-9223372036854775808');", "-9223372036854775808"),
        ("u64s", "fill('value', '18446744073709551615');", "18446744073709551615"),
        ("f64s", "fill('value', 'NaN');", r#""NaN""#),
        ("chars", "fill('value', 'é');", r#""é""#),
        ("strings", "fill('value', 'a\"\\n<b>');", r#""a\"\n<b>""#),
        ("bytes", "fill('value', 'AAEC');", r#""AAEC""#),
        ("lists", "press('Remove this item of value');", "[]"),
        ("tuples", "fill('1', '7'); fill('2', 'x'); fill('3', false);", r#"[7,"x",false]"#),
        ("options", "fill('value', false);", "null"),
        ("nested-options", "", r#"{"some":1}"#),
        ("inner-results", "choose('item: the case', 'err'); fill('err', 'no');", r#"[{"err":"no"}]"#),
        ("empty-results", "choose('item: the case', 'err');", r#"[{"err":null}]"#),
        ("enums", "", ""),
        ("many-flags", "", ""),
        ("records", "", ""),
        ("variants", "", ""),
    ];
    for (export, fill, expected) in cases {
        let (sent, answered) = called(&mut browser, &format!("typed-all:{export}"), fill);
        assert_eq!(sent, answered, "{export}");
        assert!(expected.is_empty() || sent == expected, "{export}: {sent}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn the_fields_follow_the_json_and_json_that_they_do_not_have_is_sent_as_it_is() {
    let Some((_served, mut browser)) = shown(&["shop"]) else { return };
    let json = |json: &str| {
        format!(
            "const area = form.querySelector('.json textarea'); area.value = `{json}`;
            area.dispatchEvent(new Event('input', {{ bubbles: true }}));"
        )
    };
    let (_, answered) = called(&mut browser, "shop:find", &format!("{} fill('name', 'egg');", json("\"apple\"")));
    assert!(answered.contains("\"egg\""), "{answered}");
    let (_, answered) = called(&mut browser, "shop:find", &json("{\"nome\": 1}"));
    assert!(answered.contains("invalid_input"), "{answered}");
}

#[test]
fn a_picture_is_shown_as_one_also_if_the_function_does_not_say_that_it_is() {
    let Some((_served, mut browser)) = shown(&["resize"]) else { return };
    for (function, width) in [("resize", 32), ("thumbnail", 16)] {
        browser.run(&format!(
            "(async () => {{
                const canvas = new OffscreenCanvas(64, 32);
                canvas.getContext('2d').fillRect(0, 0, 9, 9);
                const files = new DataTransfer();
                files.items.add(new File([await canvas.convertToBlob()], 'picture.png'));
                document.querySelector('#{function} [type=file]').files = files.files;
                document.querySelector('#{function} form').requestSubmit(); }})()"
        ));
        browser.wait_for(&format!("document.querySelector('#{function} output img')?.naturalWidth === {width}"));
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn live_numbers_move_with_the_calls_of_a_version() {
    let Some((served, mut browser)) = shown(&["treats"]) else { return };
    browser.wait_for("live.last !== null");
    for _ in 0..5 {
        assert_eq!(served.server.get("/api/treats/10").status, 200);
        assert_eq!(served.server.get("/api/treats/x").status, 400);
    }
    browser.wait_for("document.querySelector('#treats .live .plot path.calls')?.getAttribute('d').includes('L')");
    let rows =
        "[...document.querySelectorAll('#treats .versions tbody td')].map((cell) => cell.textContent.split(' ')[0])";
    browser.wait_for(&format!("{rows}.join() === 'latest,10,5'"));
    browser.wait_for("live.whole.samples.some(({ calls, p99 }) => calls > 0 && p99 > 0)");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_narrow_screen_needs_no_scrolling_to_the_side() {
    let Some((_served, mut browser)) = shown(&["shop", "treats", "typed-all", "resize"]) else { return };
    browser.resize(360, 740);
    browser.run("document.querySelectorAll('details').forEach((details) => details.open = true)");
    browser.wait_for("document.querySelector('#typed-all fieldset')");
    let wide = "[...document.querySelectorAll('body *')].filter((all) => !all.closest('pre, svg, .types') && \
                all.getBoundingClientRect().right > innerWidth + 1).map((all) => all.outerHTML.slice(0, 80))";
    assert_eq!(browser.run(wide), serde_json::json!([]));
    assert_eq!(browser.run("document.documentElement.scrollWidth"), 360);
}

#[test]
fn a_slash_leads_to_the_filter_and_every_control_can_be_reached_by_tab() {
    let Some((_served, mut browser)) = shown(&["shop", "treats"]) else { return };
    browser.write("/");
    browser.write("treats");
    let shown = "[...document.querySelectorAll('article:not([hidden])')].map(({ id }) => id)";
    assert_eq!(browser.run(shown), serde_json::json!(["treats", "treats-on-all-pages", "treats-on-pages"]));
    let mut reached = Vec::new();
    for _ in 0..5 {
        browser.press_tab();
        reached.push(browser.run("document.activeElement.tagName").as_str().unwrap().to_owned());
    }
    assert_eq!(reached, ["SUMMARY", "A", "INPUT", "BUTTON", "SUMMARY"]);
}

#[test]
fn names_of_a_hostile_module_are_only_text() {
    let Some(mut browser) = Browser::start() else { return };
    let nebula = Nebula::built();
    let project = Project::new([]);
    let name = "</script><img src=x onerror=document.title=1>";
    project.write("bad.wat", format!("(module (func (export \"{name}\") (param i32)) (func (export \"b\")))"));
    let _ = nebula.publish(&project, "bad", &project.join("bad.wat"), &[]).expect_success();
    let server = Server::start(&nebula, &project, &[]).unwrap();
    browser.open(&format!("http://{}/", server.address()));
    browser.wait_for("live.last !== null");
    let seen =
        "[document.querySelector('form code').textContent, document.querySelectorAll('img').length, document.title]";
    assert_eq!(browser.run(seen), serde_json::json!([format!("{name}(i32)"), 0, "Nebula: 1 function"]));
    assert_eq!(browser.complaints(), [""; 0]);
}
