//! Finds the core modules in a file that places in code belong to, and their debug information.

use std::collections::HashMap;

use wasmparser::{Encoding, Parser, Payload, TypeRef};

use super::{frame::CodeSite, work::DebugInfoError};

/// A core module: a whole file, or a part of a component.
#[derive(Default)]
pub(super) struct CoreModule<'a> {
    /// Where the code section begins, as an offset in the file: places in debug information count from there.
    pub(super) code: u64,
    /// The debug sections, by name.
    pub(super) sections: HashMap<&'a str, &'a [u8]>,
    /// The places in the module that are looked for.
    pub(super) sites: Vec<CodeSite>,
    /// The index of the next function whose body comes.
    next_function: u32,
}

/// The modules of `wasm` that have one of these places and debug information.
///
/// A place is in a module if the function of its index begins where the place says. Code that Wasmtime makes itself, to
/// join components, has places as well: they are in no module.
pub(super) fn modules<'a>(wasm: &'a [u8], sites: &[CodeSite]) -> Result<Vec<CoreModule<'a>>, DebugInfoError> {
    let mut bodies: HashMap<(u64, u32), Vec<CodeSite>> = HashMap::new();
    for site in sites {
        bodies.entry((site.body, site.function)).or_default().push(*site);
    }
    // A component may hold modules and further components.
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|_| DebugInfoError::Unreadable)? {
            Payload::Version { encoding, .. } => open.push((encoding == Encoding::Module).then(CoreModule::default)),
            Payload::End(_) => found.extend(open.pop().flatten().filter(CoreModule::is_wanted)),
            payload => {
                if let Some(Some(module)) = open.last_mut() {
                    module.read(payload, &bodies);
                }
            }
        }
    }
    Ok(found)
}

impl<'a> CoreModule<'a> {
    fn read(&mut self, payload: Payload<'a>, bodies: &HashMap<(u64, u32), Vec<CodeSite>>) {
        match payload {
            Payload::ImportSection(imports) => {
                let functions = imports
                    .into_imports()
                    .flatten()
                    .filter(|import| matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                self.next_function = u32::try_from(functions.count()).unwrap_or(u32::MAX);
            }
            Payload::CodeSectionStart { range, .. } => self.code = range.start as u64,
            Payload::CodeSectionEntry(body) => {
                let start = body.range().start as u64;
                self.sites.extend(bodies.get(&(start, self.next_function)).into_iter().flatten());
                self.next_function = self.next_function.saturating_add(1);
            }
            Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
                self.sections.insert(section.name(), section.data());
            }
            _ => {}
        }
    }

    fn is_wanted(&self) -> bool {
        !self.sites.is_empty() && !self.sections.is_empty()
    }
}
