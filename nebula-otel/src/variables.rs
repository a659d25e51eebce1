//! Values of the variables `OTEL_*`.

use std::{str::FromStr, time::Duration};

use percent_encoding::percent_decode_str;

/// The variables, and what is wrong with them.
pub(crate) struct Variables<F> {
    get: F,
    pub(crate) warnings: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    pub(crate) fn new(get: F) -> Self {
        Self { get, warnings: Vec::new() }
    }

    /// A variable's value. An empty one counts as not set.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The value of the first of these variables that is set.
    pub(crate) fn first(&self, names: &[&str]) -> Option<(String, String)> {
        names.iter().find_map(|name| Some(((*name).to_owned(), self.text(name)?)))
    }

    /// A boolean: only `true` is true.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// A value, or the default where there is none or the value cannot be read.
    pub(crate) fn parsed<T: FromStr>(&mut self, names: &[&str], default: T) -> T {
        let Some((name, text)) = self.first(names) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.warn(&name, &text, "is not valid: the default is used");
            default
        })
    }

    /// A duration in milliseconds.
    pub(crate) fn millis(&mut self, names: &[&str], default: u64) -> Duration {
        Duration::from_millis(self.parsed(names, default))
    }

    /// Names and values: `a=1,b=%20`.
    pub(crate) fn pairs(&mut self, name: &str) -> Vec<(String, String)> {
        let Some(text) = self.text(name) else { return Vec::new() };
        let mut pairs = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            match pair.split_once('=') {
                Some((key, value)) => pairs.push((decoded(key), decoded(value))),
                // The value may be a secret.
                None => self.warnings.push(format!("{name}: an entry has no \"=\": it is ignored")),
            }
        }
        pairs
    }

    pub(crate) fn warn(&mut self, name: &str, value: &str, what: &str) {
        self.warnings.push(format!("{name}={value} {what}"));
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text.trim()).decode_utf8_lossy().into_owned()
}
