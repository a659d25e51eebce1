//! What a node gives to its services.

use std::{collections::HashMap, ffi::OsString, fs, path::PathBuf, sync::Arc};

use super::file_text::without_line_end;
use crate::function::ConfigValue;

/// What the environment and the machine give to the services of a node.
#[derive(Clone, Default)]
pub struct Node {
    /// The folder at which relative paths start.
    pub folder: PathBuf,
    /// The environment variables.
    pub variables: Arc<HashMap<String, String>>,
}

impl Node {
    /// The node with this environment, whose relative paths start at `folder`. Variables that are not UTF-8 are left out.
    pub fn new(folder: impl Into<PathBuf>, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self { folder: folder.into(), variables: Arc::new(variables.into_iter().filter_map(text).collect()) }
    }

    /// The text of a value, or the reference that leads nowhere.
    pub(super) fn text(&self, value: &ConfigValue) -> Result<String, String> {
        match value {
            ConfigValue::Text(text) => Ok(text.clone()),
            ConfigValue::Env(name) => {
                self.variables.get(name).cloned().ok_or_else(|| format!("the environment variable {name}"))
            }
            ConfigValue::File(path) => {
                let text = fs::read_to_string(self.folder.join(path));
                let text = text.map_err(|error| format!("the file {} ({error})", path.display()))?;
                Ok(without_line_end(&text).to_owned())
            }
        }
    }
}
