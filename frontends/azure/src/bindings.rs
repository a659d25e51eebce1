//! The bindings of a function: what calls it, and where its result goes (`function.json`).

use std::collections::BTreeMap;

use nebula_runtime::FunctionName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One binding, in Azure's own words.
pub type Binding = BTreeMap<String, Value>;

/// The bindings of a function.
///
/// - Exactly one of them is a trigger.
/// - Each has a name, a type and a direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bindings {
    bindings: Vec<Binding>,
}

/// Bindings that Azure Functions would refuse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBindings {
    /// The text is not the JSON of a `function.json`.
    #[error("expected an object with the array \"bindings\"")]
    NotJson(#[source] serde_json::Error),
    /// A binding lacks a text that it needs.
    #[error("binding {number} has no text {key:?}: each binding has a name, a type and a direction")]
    Missing {
        /// The place of the binding in the array, from 1.
        number: usize,
        /// The key.
        key: &'static str,
    },
    /// There is no trigger, or more than one.
    #[error("there are {0} triggers, and a function has one: a binding whose type ends in \"Trigger\"")]
    Triggers(usize),
}

impl Bindings {
    /// Checks bindings.
    ///
    /// # Errors
    /// If Azure Functions would refuse them.
    pub fn new(bindings: Vec<Binding>) -> Result<Self, InvalidBindings> {
        for (index, binding) in bindings.iter().enumerate() {
            let missing = ["name", "type", "direction"].into_iter().find(|key| text(binding, key).is_empty());
            if let Some(key) = missing {
                return Err(InvalidBindings::Missing { number: index + 1, key });
            }
        }
        match bindings.iter().filter(|binding| is_trigger(binding)).count() {
            1 => Ok(Self { bindings }),
            triggers => Err(InvalidBindings::Triggers(triggers)),
        }
    }

    /// Reads a `function.json`.
    ///
    /// # Errors
    /// If it is not one, or has bindings that Azure Functions would refuse.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidBindings> {
        #[derive(Deserialize)]
        struct FunctionJson {
            bindings: Vec<Binding>,
        }

        let file: FunctionJson = serde_json::from_slice(json).map_err(InvalidBindings::NotJson)?;
        Self::new(file.bindings)
    }

    /// The bindings of a function that HTTP requests call, at the path that it has on every Nebula server:
    /// `/api/{function}` and all paths below it. Azure adds `/api` itself.
    pub fn of_requests(function: &FunctionName) -> Self {
        let trigger = json!({
            "type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous",
            "route": format!("{function}/{{*path}}"),
        });
        let output = json!({ "type": "http", "direction": "out", "name": "res" });
        let binding = |value: Value| value.as_object().cloned().unwrap_or_default().into_iter().collect();
        Self { bindings: [trigger, output].map(binding).into() }
    }

    /// Whether the host forwards the function's requests as they came.
    #[must_use]
    pub fn are_forwarded(&self) -> bool {
        let of_direction = |out: bool| self.bindings.iter().filter(move |binding| is_output(binding) == out);
        let are = |out, kind: &str| {
            let types: Vec<_> = of_direction(out).map(|binding| text(binding, "type")).collect();
            matches!(types.as_slice(), [only] if only.eq_ignore_ascii_case(kind))
        };
        are(false, "httpTrigger") && are(true, "http")
    }

    /// Whether they need an extension of the host: all but HTTP and timers do.
    #[must_use]
    pub fn need_extensions(&self) -> bool {
        const BUILT_IN: [&str; 3] = ["httpTrigger", "http", "timerTrigger"];
        let is_built_in = |kind: &str| BUILT_IN.iter().any(|known| known.eq_ignore_ascii_case(kind));
        !self.bindings.iter().all(|binding| is_built_in(text(binding, "type")))
    }

    /// The name of the trigger, and whether its data are octets, which come in base64.
    pub(crate) fn trigger(&self) -> (&str, bool) {
        let trigger = self.bindings.iter().find(|binding| is_trigger(binding));
        trigger.map_or(("", false), |binding| {
            (text(binding, "name"), text(binding, "dataType").eq_ignore_ascii_case("binary"))
        })
    }

    /// The names of the outputs, without the one that is the return value.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &str> {
        let outputs = self.bindings.iter().filter(|binding| is_output(binding));
        outputs.map(|binding| text(binding, "name")).filter(|name| *name != "$return")
    }
}

fn is_trigger(binding: &Binding) -> bool {
    text(binding, "type").to_ascii_lowercase().ends_with("trigger")
}

fn is_output(binding: &Binding) -> bool {
    text(binding, "direction").eq_ignore_ascii_case("out")
}

fn text<'a>(binding: &'a Binding, key: &str) -> &'a str {
    binding.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings(json: &Value) -> Result<Bindings, String> {
        let file = json!({ "bindings": json }).to_string();
        Bindings::parse(file.as_bytes()).map_err(|error| error.to_string())
    }

    fn http_trigger() -> Value {
        json!({ "type": "httpTrigger", "direction": "in", "name": "req" })
    }

    #[test]
    fn only_requests_of_functions_without_other_bindings_are_forwarded() {
        let output = |kind: &str| json!({ "type": kind, "direction": "out", "name": kind });
        let queue = json!({ "type": "queueTrigger", "direction": "in", "name": "item" });
        let table = json!({ "type": "table", "direction": "in", "name": "row" });
        let cases = [
            (json!([http_trigger(), output("http")]), true),
            (json!([http_trigger(), output("http"), output("queue")]), false),
            (json!([http_trigger(), table, output("http")]), false),
            (json!([http_trigger()]), false),
            (json!([queue, output("http")]), false),
        ];
        for (json, expected) in cases {
            assert_eq!(bindings(&json).unwrap().are_forwarded(), expected, "{json}");
        }
        assert!(Bindings::of_requests(&"treats".parse().unwrap()).are_forwarded());
    }

    #[test]
    fn bindings_that_azure_would_refuse_are_refused_and_the_error_says_why() {
        let output = json!({ "type": "queue", "direction": "out", "name": "out" });
        let cases = [
            (json!([]), "there are 0 triggers, and a function has one"),
            (json!([output]), "there are 0 triggers"),
            (json!([http_trigger(), http_trigger()]), "there are 2 triggers"),
            (json!([http_trigger(), { "type": "queue", "direction": "out" }]), "binding 2 has no text \"name\""),
            (json!("queue"), "expected an object with the array \"bindings\""),
        ];
        for (json, expected) in cases {
            let refusal = bindings(&json).unwrap_err();
            assert!(refusal.starts_with(expected), "{refusal}");
        }
    }
}
