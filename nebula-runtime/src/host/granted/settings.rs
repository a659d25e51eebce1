//! Settings: what a function's configuration says in `config`.

use std::{collections::BTreeMap, sync::Arc};

use super::missing::missing;
use crate::{
    call::InvokeError,
    function::ConfigValue,
    host::{file_text::FileText, services::Services},
};

/// The settings or the environment variables of a function, with the texts of references.
pub(in crate::host) struct Settings {
    /// The key of the configuration that has them, for errors: `config` or `env`.
    key: &'static str,
    values: BTreeMap<String, Value>,
}

enum Value {
    Text(Arc<str>),
    /// An environment variable that this node does not have.
    NoVariable(String),
    File(FileText),
}

impl Settings {
    pub(super) fn set_up(key: &'static str, config: &BTreeMap<String, ConfigValue>, services: &Services) -> Self {
        let value = |value: &ConfigValue| match value {
            ConfigValue::Text(text) => Value::Text(text.as_str().into()),
            ConfigValue::Env(name) => match services.variable(name) {
                Some(text) => Value::Text(text.into()),
                None => Value::NoVariable(name.clone()),
            },
            ConfigValue::File(path) => Value::File(FileText::new(path.clone())),
        };
        Self { key, values: config.iter().map(|(name, written)| (name.clone(), value(written))).collect() }
    }

    /// Checks that each value is there.
    ///
    /// # Errors
    /// The node does not have a value.
    pub(super) fn check(&self) -> Result<(), InvokeError> {
        self.values.iter().try_for_each(|(name, value)| self.text(name, value).map(drop))
    }

    /// The setting `name`, if the configuration has it.
    ///
    /// # Errors
    /// The node does not have its value.
    pub(in crate::host) fn get(&self, name: &str) -> Result<Option<Arc<str>>, InvokeError> {
        self.values.get(name).map(|value| self.text(name, value)).transpose()
    }

    /// Each setting with its text.
    ///
    /// # Errors
    /// The node does not have the value of one.
    pub(in crate::host) fn all(&self) -> Result<Vec<(&str, Arc<str>)>, InvokeError> {
        self.values.iter().map(|(name, value)| Ok((name.as_str(), self.text(name, value)?))).collect()
    }

    fn text(&self, name: &str, value: &Value) -> Result<Arc<str>, InvokeError> {
        let key = self.key;
        match value {
            Value::Text(text) => Ok(Arc::clone(text)),
            Value::NoVariable(variable) => Err(missing(format!(
                "{key}.{name} refers to the environment variable {variable}, which is not set on this node"
            ))),
            Value::File(file) => file.text().map_err(|error| {
                let path = file.path().display();
                let detail = format!("{key}.{name} refers to the file {path}, which this node cannot read as text");
                missing(detail).with_source(error)
            }),
        }
    }
}
