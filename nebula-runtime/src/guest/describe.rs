//! Describes a guest, for a publish.

use super::{recognise::Guest, source::Source};
use crate::function::{Export, Kind};

impl Guest {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Core(_) => Kind::Core,
            Self::Command(_) => Kind::Command,
            Self::Http(_) => Kind::Http,
            Self::Typed(_) => Kind::Typed,
        }
    }

    /// The functions that can be called. `binary` is the module that the guest was loaded from.
    pub(crate) fn describe(&self, binary: &[u8]) -> Vec<Export> {
        match self {
            Self::Core(core) => core.exports.to_vec(),
            Self::Command(command) => command.exports().to_vec(),
            Self::Http(_) => Vec::new(),
            Self::Typed(typed) => typed.describe(binary),
        }
    }

    /// Whether a configuration may name this export.
    pub(crate) fn has_export(&self, name: &str) -> bool {
        match self {
            Self::Core(core) => core.exports.iter().any(|export| export.name == name),
            Self::Command(command) => command.exports().iter().any(|export| export.name == name),
            Self::Http(_) => false,
            Self::Typed(typed) => typed.has_export(name),
        }
    }

    /// Why an export that exists cannot be called. `None` if it can be called or does not exist.
    pub(crate) fn uncallable(&self, export: &str) -> Option<String> {
        match self {
            Self::Core(core) => core.uncallable(export),
            Self::Command(_) | Self::Http(_) | Self::Typed(_) => None,
        }
    }

    /// What a component imports. A module's imports are not told.
    pub(crate) fn imports(&self) -> Vec<String> {
        match self.source() {
            (engine, Source::Component(pre)) => {
                let imports = pre.component().component_type();
                imports.imports(engine.wasmtime()).map(|(name, _)| name.to_owned()).collect()
            }
            (_, Source::Pure(_) | Source::Module(_)) => Vec::new(),
        }
    }

    /// Whether an instance may serve more than one call. The standard that the guest implements decides that.
    pub(crate) fn is_reusable(&self) -> bool {
        matches!(self, Self::Http(http) if http.is_reusable())
    }
}
