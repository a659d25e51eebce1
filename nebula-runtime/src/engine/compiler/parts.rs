//! How many core instances a component is made of.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef, Encoding,
    Instance, Parser, Payload,
};

/// The core instances that an instance of a component has, those of the components in it included. A module, and what is no
/// WebAssembly, has none.
pub(super) fn core_instances(wasm: &[u8]) -> u64 {
    let mut open = Vec::<Part>::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { encoding, .. } => open.push(Part::new(encoding)),
            Payload::End(_) => {
                let Some(ended) = open.pop() else { break };
                match open.last_mut() {
                    Some(outer) if ended.is_component => outer.components.push(ended.core_instances),
                    Some(_) => {}
                    None => return ended.core_instances,
                }
            }
            payload => read(&mut open, payload).unwrap_or_default(),
        }
    }
    0
}

/// A component, or a module, as far as it was read.
struct Part {
    is_component: bool,
    core_instances: u64,
    /// How many core instances an instance of each component in it has, in the order of their indices.
    components: Vec<u64>,
}

impl Part {
    fn new(encoding: Encoding) -> Self {
        Self { is_component: encoding == Encoding::Component, core_instances: 0, components: Vec::new() }
    }

    fn instantiate(&mut self, component: u32) {
        let more = self.component(component);
        self.core_instances = self.core_instances.saturating_add(more);
    }

    /// Of an index that is not valid the compiler says so.
    fn component(&self, index: u32) -> u64 {
        self.components.get(index as usize).copied().unwrap_or(0)
    }
}

fn read(open: &mut [Part], payload: Payload<'_>) -> wasmparser::Result<()> {
    match payload {
        Payload::InstanceSection(instances) => instances.into_iter().try_for_each(|instance| {
            let more = matches!(instance?, Instance::Instantiate { .. }).into();
            within(open, |part| part.core_instances = part.core_instances.saturating_add(more));
            Ok(())
        }),
        Payload::ComponentInstanceSection(instances) => instances.into_iter().try_for_each(|instance| {
            if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                within(open, |part| part.instantiate(component_index));
            }
            Ok(())
        }),
        // Nothing is known of a component that is imported, nor can it be given.
        Payload::ComponentImportSection(imports) => imports.into_iter().try_for_each(|import| {
            let is_component = matches!(import?.ty, ComponentTypeRef::Component(_));
            within(open, |part| part.components.extend(is_component.then_some(0)));
            Ok(())
        }),
        // An export has an index of its own.
        Payload::ComponentExportSection(exports) => exports.into_iter().try_for_each(|export| {
            let export = export?;
            if export.kind == ComponentExternalKind::Component {
                within(open, |part| part.components.push(part.component(export.index)));
            }
            Ok(())
        }),
        Payload::ComponentAliasSection(aliases) => aliases.into_iter().try_for_each(|alias| {
            alias_of(open, alias?);
            Ok(())
        }),
        _ => Ok(()),
    }
}

/// Another name for a component: of one around, or of one that an instance exports, of which nothing is known.
fn alias_of(open: &mut [Part], alias: ComponentAlias<'_>) {
    let core_instances = match alias {
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
            let outer = open.iter().rev().nth(count as usize);
            outer.map_or(0, |part| part.component(index))
        }
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => 0,
        _ => return,
    };
    within(open, |part| part.components.push(core_instances));
}

/// Changes the part that is being read.
fn within(open: &mut [Part], change: impl FnOnce(&mut Part)) {
    if let Some(part) = open.last_mut() {
        change(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(wat: &str) -> u64 {
        core_instances(&wat::parse_str(wat).unwrap())
    }

    #[test]
    fn core_instances_are_counted_through_components_in_components() {
        assert_eq!(count("(module)"), 0);
        assert_eq!(count("(component (core module $m) (core instance (instantiate $m)))"), 1);
        let shared = "(core instance $i (export \"x\" (func $f)))";
        let func = "(core module $m (func (export \"f\"))) (core instance $n (instantiate $m))
            (alias core export $n \"f\" (core func $f))";
        assert_eq!(count(&format!("(component {func} {shared})")), 1, "an instance of exports is no core instance");
        let nested = "(component
            (component $two (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))
            (component $four (alias outer 1 $two (component $two))
                (instance (instantiate $two)) (instance (instantiate $two)))
            (export $exported \"four\" (component $four))
            (instance (instantiate $four)) (instance (instantiate $exported)))";
        assert_eq!(count(nested), 8);
        assert_eq!(core_instances(b"\0asm\x0d\0\x01\0\x05"), 0);
    }
}
