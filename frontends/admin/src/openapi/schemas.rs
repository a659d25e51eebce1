//! The schemas of what is sent and answered: the JSON that `nebula` prints with `--json`.

use serde_json::{Map, Value, json};

use super::{
    invocation::invocation,
    object::object,
    parts::{list, moment, named, record, size, text},
};
use crate::problem::Kind;

/// All schemas.
pub(super) fn schemas() -> Map<String, Value> {
    let name = json!({"type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$"});
    object([
        ("FunctionName", name.clone()),
        ("AliasName", name.clone()),
        ("ServiceName", name),
        ("Digest", json!({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})),
        ("Configuration", configuration()),
        ("Origin", origin()),
        ("Function", function(&[], &[])),
        ("Published", function(&["changed"], &[("changed", json!({"type": "boolean"}))])),
        (
            "Unreadable",
            record(&["name", "error"], [("name", named("FunctionName")), ("error", json!({"type": "object"}))]),
        ),
        ("Target", target()),
        (
            "Alias",
            record(
                &["alias", "target"],
                [("alias", named("AliasName")), ("target", named("Target")), ("at", moment()), ("by", text())],
            ),
        ),
        (
            "Move",
            record(
                &["alias", "from", "to"],
                [("alias", named("AliasName")), ("from", or_null("Target")), ("to", or_null("Target"))],
            ),
        ),
        (
            "Removal",
            record(
                &["versions", "aliases", "latest"],
                [
                    ("versions", list(&number())),
                    ("aliases", list(&named("Move"))),
                    ("latest", json!({"type": ["integer", "null"]})),
                ],
            ),
        ),
        ("Version", version()),
        ("Change", change()),
        ("Difference", difference()),
        ("Keys", record(&["keys"], [("keys", list(&text())), ("cursor", text())])),
        ("Blob", record(&["name", "size", "created"], [("name", text()), ("size", size()), ("created", moment())])),
        ("Invocation", invocation()),
        ("Problem", problem()),
    ])
}

fn or_null(schema: &str) -> Value {
    json!({"anyOf": [named(schema), {"type": "null"}]})
}

fn number() -> Value {
    json!({"type": "integer", "minimum": 1})
}

/// What is known of a version, and these members besides.
fn function(required: &[&str], more: &[(&'static str, Value)]) -> Value {
    let export = record(
        &["name", "params", "results"],
        [("name", text()), ("params", list(&text())), ("results", list(&text())), ("typed", json!({"type": "object"}))],
    );
    let known = ["name", "version", "aliases", "digest", "size", "kind", "exports", "config"];
    let members = [
        ("name", named("FunctionName")),
        ("version", number()),
        ("aliases", list(&named("AliasName"))),
        ("targets", json!({"type": "object", "additionalProperties": named("Target")})),
        ("digest", named("Digest")),
        ("size", size()),
        ("kind", json!({"type": "string", "enum": ["core", "command", "http", "typed"]})),
        ("exports", list(&export)),
        ("config", named("Configuration")),
        ("composition", json!({"type": "object"})),
        ("snapshot", record(&["digest", "size"], [("digest", named("Digest")), ("size", size())])),
    ];
    let required: Vec<_> = known.iter().chain(required).collect();
    json!({"type": "object", "required": required, "properties": object(members.into_iter().chain(more.iter().cloned()))})
}

/// The keys of `[functions.NAME]` in `nebula.toml`, but for the file and its build. `limits` has a table of its own here.
fn configuration() -> Value {
    let grant = json!({"oneOf": [text(), {"type": "object", "required": ["service"]}]});
    json!({
        "type": "object",
        "description": "How the function is run. Folders (`dirs`) are refused, and values of `env` and `config` that refer to a \
                        variable or a file: who runs the server grants them. `keyvalue` and `blobs` need the right data.",
        "properties": {
            "export": text(),
            "limits": {"type": "object"},
            "args": list(&text()),
            "env": {"type": "object", "additionalProperties": text()},
            "dirs": {"type": "array"},
            "allow_hosts": list(&text()),
            "connect": list(&text()),
            "config": {"type": "object", "additionalProperties": text()},
            "keyvalue": {"type": "object", "additionalProperties": grant},
            "blobs": {"type": "object", "additionalProperties": grant},
            "imports": {"type": "object", "additionalProperties": text()},
            "cache": {"type": "string", "enum": ["pure"]},
            "snapshot": {"oneOf": [{"type": "boolean"}, text()]},
            "reuse": {"type": "object"},
            "content_type": text(),
            "batch": text(),
            "cloudevents": {"type": "boolean"},
            "cors": {"type": "object"},
            "azure": {"type": "object"},
        },
    })
}

fn origin() -> Value {
    json!({
        "type": "object",
        "description": "The artifact of a registry that the sender pulled the module from. The server keeps it as the \
                        sender's word, and does not check it.",
        "required": ["reference", "digest"],
        "properties": {
            "reference": {"type": "string", "pattern": "^oci://", "maxLength": 1000},
            "digest": named("Digest"),
        },
        "additionalProperties": false,
        "examples": [{
            "reference": "oci://registry.example.com/team/shop:1.0",
            "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        }],
    })
}

fn target() -> Value {
    let weight = json!({"type": "integer", "minimum": 1});
    json!({
        "type": "object",
        "description": "The versions by their numbers, each with its weight, and the header whose value decides.",
        "required": ["weights"],
        "properties": {
            "weights": {"type": "object", "minProperties": 1, "additionalProperties": weight},
            "sticky": text(),
        },
        "additionalProperties": false,
        "examples": [{"weights": {"3": 95, "4": 5}, "sticky": "x-user"}],
    })
}

fn version() -> Value {
    let origin =
        record(&["reference", "digest"], [("reference", text()), ("digest", named("Digest")), ("signed_by", text())]);
    record(
        &["version", "digest", "aliases"],
        [
            ("version", number()),
            ("digest", named("Digest")),
            ("aliases", list(&named("AliasName"))),
            ("published_at", moment()),
            ("published_by", text()),
            ("origin", origin),
            ("signatures", list(&named("Digest"))),
        ],
    )
}

fn change() -> Value {
    record(
        &["change"],
        [
            ("at", moment()),
            ("by", text()),
            ("change", json!({"type": "string", "enum": ["published", "alias", "removed"]})),
            ("version", number()),
            ("alias", named("AliasName")),
            ("from", named("Target")),
            ("to", named("Target")),
        ],
    )
}

fn difference() -> Value {
    let version = record(
        &["name", "version", "digest", "size", "kind"],
        [
            ("name", named("FunctionName")),
            ("version", number()),
            ("digest", named("Digest")),
            ("size", size()),
            ("kind", text()),
        ],
    );
    let parts = record(&["added", "removed"], [("added", list(&text())), ("removed", list(&text()))]);
    let setting = record(&["key"], [("key", text()), ("from", json!({})), ("to", json!({}))]);
    record(
        &["from", "to", "grants", "config", "exports"],
        [
            ("from", version.clone()),
            ("to", version),
            ("grants", parts.clone()),
            ("config", list(&setting)),
            ("exports", parts),
        ],
    )
}

fn problem() -> Value {
    let kinds = Kind::ALL.map(Kind::as_str);
    json!({
        "type": "object",
        "description": "Why a request failed (RFC 9457).",
        "required": ["type", "title", "status", "detail", "kind"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": text(),
            "status": {"type": "integer"},
            "detail": text(),
            "kind": {"type": "string", "enum": kinds},
        },
    })
}
