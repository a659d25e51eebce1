//! `docs/reference/configuration.md`, and the JSON Schema with which editors check and complete a `nebula.toml`. Both
//! are made from the types that read the file.

use std::{borrow::Cow, time::Duration};

use nebula_runtime::{ByteSize, Limits};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{schema::File, tests::EVERY_KEY};
use crate::{
    build::Build,
    reference::{check, row},
    values::{Count, FilePattern, MediaType, Rate, ShellCommand, Size, TextValue, Timeout, VariableName},
};

/// How a batch of records reaches a function.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "its values are described, and never made")]
pub(super) enum Batch {
    Item,
}

/// Which results of a function are kept.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "its values are described, and never made")]
pub(super) enum Caching {
    Pure,
}

const INTRODUCTION: &str = "\
# nebula.toml

`nebula serve` reads `nebula.toml` in the working directory, or the file that `--config` names. A key that does not
exist is an error, which suggests the nearest key that does. Relative paths start at the folder of the file.

For completion and checks in an editor (Even Better TOML, or anything else that uses Taplo), begin the file with a
comment that points to [the JSON Schema](nebula.schema.json) of this page: `#:schema PATH-OR-URL/nebula.schema.json`.

A file that uses every key:

```toml
EXAMPLE```
";

const EXAMPLE: &str = r#"[functions.resize]
source = "guests/build/resize.wasm"
build = "cargo build --release"       # makes the source
build_timeout = "5m"
watch = ["src/", "Cargo.toml"]        # what the build depends on
export = "main"
memory = "64MiB"
timeout = "2s"
max_request = "10MiB"
max_response = "10MiB"
concurrency = 8
rate = "100/s"
args = ["--width", "64"]
env = { GREETING = "hi", TOKEN = { env = "API_TOKEN" } }
dirs = [{ host = "data", guest = "/data", writable = false }]
allow_hosts = ["api.example.com", "*.example.com:8443"]
connect = ["db.example.com:5432"]
config = { greeting = "Hi", cert = { file = "cert.pem" } }
keyvalue = { default = "state", shop = { service = "state", prefix = "shop/", readonly = true } }
blobs = { pictures = "pictures" }
imports = { "nebula:tax/rates" = "tax@prod" }
cache = "pure"                        # for a core module that imports nothing
snapshot = true                       # for a command with an initialiser
reuse = { max_requests = 128, max_concurrent = 1, idle = "1s" }
content_type = "image/png"
batch = "item"
cloudevents = true
cors = { origins = ["https://www.example.com"], max_age = "10m" }
azure = { bindings = [{ type = "queueTrigger", direction = "in", name = "item", queueName = "pictures" }] }

[[routes]]
path = "/shop"                        # and all paths below it
host = "www.example.com"
function = "shop@prod"

[limits]                              # of functions that set none
timeout = "10s"

[ceilings]                            # no function goes beyond these
memory = "1GiB"

[server]
concurrency = 512
client_rate = "50/s"
compress = true
cors = { origins = ["*"] }            # of functions that set none
trusted_proxies = ["10.0.0.0/8", "192.0.2.1"]
proxy_protocol = true                 # the proxies send it before each connection
result_cache = "64MiB"                # of functions with cache = "pure"
tls = { cert = "cert.pem", key = "key.pem" }

[admin]                               # of nebula serve --admin
tls = { cert = "cert.pem", key = "key.pem" }
max_upload = "64MiB"

[services.state]                      # what stands behind the name
keyvalue = "redis://db.internal"

[services.pictures]
blobs = "folder:data/pictures"

[trust]                               # only what the team has signed runs
keys = ["team.pub"]
require = true
lowest = { resize = 3 }

[sandbox]                             # what later versions may be granted
paths = ["/srv/data", "/srv/out:rw"]
ports = [5432]

[watch]
ignore = ["/notes/", "!*.log"]
poll = "2s"
"#;

/// Each table of the file: its heading, its type, and the key of the whole file that it is, if it is one.
const TABLES: [(&str, &str, Option<&str>); 16] = [
    ("[functions.NAME]", "Function", None),
    ("dirs", "Dir", None),
    ("keyvalue", "LimitedGrant", None),
    ("reuse", "WrittenReuse", None),
    ("cors", "WrittenCors", None),
    ("azure", "Azure", None),
    ("[[routes]]", "WrittenRoute", Some("routes")),
    ("[limits]", "Limits", Some("limits")),
    ("[ceilings]", "Limits", Some("ceilings")),
    ("[server]", "Server", Some("server")),
    ("[admin]", "Admin", Some("admin")),
    ("tls", "Tls", None),
    ("[services.NAME]", "WrittenService", None),
    ("[trust]", "Trust", Some("trust")),
    ("[sandbox]", "Sandbox", Some("sandbox")),
    ("[watch]", "Watch", Some("watch")),
];

#[test]
fn the_page_of_the_configuration_is_what_is_read() {
    let schema = schema();
    let mut page = INTRODUCTION.replace("EXAMPLE", EXAMPLE);
    for (heading, name, key) in TABLES {
        let definition = &schema["$defs"][name];
        let described = key.map_or(definition, |key| &schema["properties"][key]);
        page += &format!("\n## `{heading}`\n\n{}\n\n", described["description"].as_str().unwrap().replace('\n', " "));
        page += &table(heading, definition);
    }
    check("configuration.md", &page);
    check("nebula.schema.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
}

#[test]
fn the_example_of_the_page_is_read() {
    toml::from_str::<File>(EXAMPLE).unwrap();
}

#[test]
fn the_examples_have_every_key_of_a_function() {
    let keys = |table: &Value| table.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let schema = schema();
    for (example, function) in [(EXAMPLE, "resize"), (EVERY_KEY, "treats")] {
        let example: Value = toml::from_str(example).unwrap();
        assert_eq!(keys(&example["functions"][function]), keys(&schema["$defs"]["Function"]["properties"]));
        assert_eq!(keys(&example), keys(&schema["properties"]));
    }
}

#[test]
fn words_are_described_as_the_runtime_reads_them() {
    let described = |name: &str| schema()["$defs"][name]["enum"][0].clone();
    assert_eq!(serde_json::to_value(nebula_runtime::Batch::Item).unwrap(), described("Batch"));
    assert_eq!(serde_json::to_value(nebula_runtime::Caching::Pure).unwrap(), described("Caching"));
}

fn schema() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<File>().to_value();
    drop_null(&mut schema);
    schema["title"] = "nebula.toml".into();
    schema
}

/// TOML has no null: a key that may be left out is just not there.
fn drop_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => {
            items.retain(|item| *item != json!("null") && *item != json!({"type": "null"}));
            items.iter_mut().for_each(drop_null);
        }
        Value::Object(members) => {
            members.remove("default");
            members.values_mut().for_each(drop_null);
            if let Some([only]) = members.get("type").and_then(Value::as_array).map(Vec::as_slice) {
                let only = only.clone();
                members.insert("type".to_owned(), only);
            }
            if let Some([only]) = members.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
                let only = only.as_object().cloned().unwrap_or_default();
                members.remove("anyOf");
                members.extend(only);
            }
        }
        _ => {}
    }
}

fn table(heading: &str, definition: &Value) -> String {
    let mut table = row(&["key", "value", "meaning"]) + &row(&["---"; 3]);
    for (key, property) in definition["properties"].as_object().unwrap() {
        let mut meaning = property["description"].as_str().unwrap_or_default().to_owned();
        if definition["required"].as_array().is_some_and(|required| required.contains(&json!(key))) {
            meaning += " **Required.**";
        } else if let Some(default) = default(heading, key) {
            meaning += &format!(" Default: `{default}`.");
        }
        table += &row(&[&format!("`{key}`"), &value(property), &meaning]);
    }
    table
}

/// A key's value in words.
fn value(property: &Value) -> String {
    let plain = |property: &Value| property["type"].as_str().map(str::to_owned);
    let expected = property["title"].as_str().map(str::to_owned);
    let reference = property["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    match (expected, reference, plain(property).as_deref()) {
        (Some(expected), ..) => expected,
        (None, Some("Batch"), _) => "`\"item\"`".to_owned(),
        (None, Some("Caching"), _) => "`\"pure\"`".to_owned(),
        (None, Some("WrittenSnapshot"), _) => "`true`, `false`, or the name of an export".to_owned(),
        (None, Some("WrittenReuse"), _) => "a table: [`reuse`](#reuse)".to_owned(),
        (None, Some("WrittenCors"), _) => "a table: [`cors`](#cors)".to_owned(),
        (None, Some("Tls"), _) => "a table: [`tls`](#tls)".to_owned(),
        (None, Some("Azure"), _) => "a table: [`azure`](#azure)".to_owned(),
        (None, None, Some("integer")) => Count::EXPECTED.to_owned(),
        (None, None, Some("boolean")) => "`true` or `false`".to_owned(),
        (None, None, Some("array")) => match property["items"]["$ref"].as_str() {
            Some("#/$defs/Dir") => "an array of tables: [`dirs`](#dirs)".to_owned(),
            _ if property["items"]["type"] == "object" => "an array of tables".to_owned(),
            _ if property["items"]["type"] == "integer" => "an array of whole numbers".to_owned(),
            _ => "an array of texts".to_owned(),
        },
        (None, None, Some("object")) if property["additionalProperties"]["type"] == "integer" => {
            "a table of whole numbers from 1".to_owned()
        }
        (None, None, Some("object")) => "a table of texts".to_owned(),
        (None, _, other) => format!("a {}", other.unwrap_or("text").replace("string", "text")),
    }
}

/// What holds where a key is left out.
fn default(table: &str, key: &str) -> Option<String> {
    let limits = match table {
        "[ceilings]" => Limits::CEILINGS,
        _ => Limits::default(),
    };
    let duration = |duration: Duration| humantime::format_duration(duration).to_string().replace(' ', "");
    let size = |size: ByteSize| size.to_string().replace(".0 ", "");
    let reuse = nebula_runtime::Reuse::default();
    match (table, key) {
        ("[server]", "concurrency") => Some(crate::command::serve::CONCURRENCY.to_string()),
        ("[server]", "result_cache") => Some(size(nebula_runtime::RuntimeBuilder::RESULT_CACHE)),
        ("[admin]", "max_upload") => Some(size(nebula_admin::Admin::MAX_UPLOAD)),
        (_, "memory") => Some(size(limits.memory)),
        (_, "timeout") => Some(duration(limits.timeout)),
        ("[ceilings]", "concurrency") => None,
        (_, "max_request") => Some(size(limits.max_request)),
        (_, "max_response") => Some(size(limits.max_response)),
        (_, "concurrency") => Some(limits.concurrency.to_string()),
        (_, "build_timeout") => Some(duration(Build::TIMEOUT)),
        (_, "max_requests") => Some(reuse.max_requests.to_string()),
        (_, "idle") => Some(duration(reuse.idle)),
        (_, "compress") => Some("true".to_owned()),
        (_, "writable" | "require" | "credentials") => Some("false".to_owned()),
        _ => None,
    }
}

macro_rules! schema_of_written {
    ($($name:ident),*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                written::<Self>()
            }
        }
    )*};
}

schema_of_written!(Timeout, Size, Count, Rate, MediaType, ShellCommand, FilePattern, VariableName);

fn written<T: TextValue>() -> Schema {
    let types = if T::of_number(1).is_some() { json!(["string", "integer"]) } else { json!("string") };
    json_schema!({"type": types, "title": T::EXPECTED})
}
