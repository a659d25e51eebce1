//! What an instance of a component is made of.

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, FromReader, Instance, Parser, Payload, SectionLimited,
};

use super::super::{Flavour, allocation::CALLED_INSTANCES};

/// What an instance of a component has, with the instances of the components in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) core_instances: u64,
    /// Instances, imports, exports, functions, types and other names: Wasmtime goes through those of each instance.
    pub(super) definitions: u64,
    /// The component instances that can be called: they have functions of their own, and do not only pass on others'.
    called_instances: u64,
}

impl Parts {
    fn and(self, more: Self) -> Self {
        Self {
            core_instances: self.core_instances.saturating_add(more.core_instances),
            definitions: self.definitions.saturating_add(more.definitions),
            called_instances: self.called_instances.saturating_add(more.called_instances),
        }
    }
}

/// The flavour of a component that runs tasks of its own.
pub(super) fn concurrent(wasm: &[u8]) -> Flavour {
    match parts(wasm) {
        Some(Parts { called_instances, .. }) if called_instances <= u64::from(CALLED_INSTANCES) => Flavour::Concurrent,
        _ => Flavour::ManyStacks,
    }
}

/// Counts the parts of an instance of a component. A module, and what is no WebAssembly, has none.
///
/// `None` where the component instantiates one that it is given, or that an instance exports: which one that is would have
/// to be followed through all its instances, of which there may be too many. No toolchain makes such components.
pub(super) fn parts(wasm: &[u8]) -> Option<Parts> {
    let mut open = Vec::<Part>::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { encoding, .. } => open.push(Part::new(encoding)),
            Payload::End(_) => {
                let Some(ended) = open.pop() else { break };
                match open.last_mut() {
                    Some(outer) if ended.is_component => outer.components.push(ended.parts),
                    Some(_) => {}
                    None => return ended.parts,
                }
            }
            payload => read(&mut open, payload).unwrap_or_default(),
        }
    }
    Some(Parts::default())
}

/// A component, or a module, as far as it was read.
struct Part {
    is_component: bool,
    is_called: bool,
    /// `None` if it cannot be told.
    parts: Option<Parts>,
    /// The parts of an instance of each component in it, in the order of their indices.
    components: Vec<Option<Parts>>,
}

impl Part {
    fn new(encoding: Encoding) -> Self {
        let parts = Some(Parts::default());
        Self { is_component: encoding == Encoding::Component, is_called: false, parts, components: Vec::new() }
    }

    fn add(&mut self, more: Option<Parts>) {
        self.parts = self.parts.zip(more).map(|(parts, more)| parts.and(more));
    }

    fn define(&mut self, names: usize) {
        self.add(Some(Parts { definitions: names as u64, ..Parts::default() }));
    }

    fn core_instance(&mut self, instance: &Instance<'_>) {
        match instance {
            Instance::Instantiate { args, .. } => {
                self.add(Some(Parts { core_instances: 1, ..Parts::default() }));
                self.define(args.len());
            }
            Instance::FromExports(exports) => self.define(exports.len()),
        }
    }

    fn instance(&mut self, instance: &ComponentInstance<'_>) {
        match instance {
            ComponentInstance::Instantiate { component_index, args } => {
                self.add(self.component(*component_index));
                self.define(args.len());
            }
            ComponentInstance::FromExports(exports) => self.define(exports.len()),
        }
    }

    fn function(&mut self, function: &CanonicalFunction) {
        if matches!(function, CanonicalFunction::Lift { .. }) && !self.is_called {
            self.is_called = true;
            self.add(Some(Parts { called_instances: 1, ..Parts::default() }));
        }
    }

    /// Of an index that is not valid the compiler says so.
    fn component(&self, index: u32) -> Option<Parts> {
        self.components.get(index as usize).copied().unwrap_or(Some(Parts::default()))
    }
}

fn read(open: &mut [Part], payload: Payload<'_>) -> wasmparser::Result<()> {
    match payload {
        Payload::InstanceSection(instances) => each(open, instances, |part, _, instance| part.core_instance(&instance)),
        Payload::ComponentInstanceSection(instances) => {
            each(open, instances, |part, _, instance| part.instance(&instance))
        }
        Payload::ComponentImportSection(imports) => each(open, imports, |part, _, import| {
            let is_component = matches!(import.ty, ComponentTypeRef::Component(_));
            part.components.extend(is_component.then_some(None));
        }),
        Payload::ComponentCanonicalSection(functions) => {
            each(open, functions, |part, _, function| part.function(&function))
        }
        // An export has an index of its own.
        Payload::ComponentExportSection(exports) => each(open, exports, |part, _, export| {
            if export.kind == ComponentExternalKind::Component {
                part.components.push(part.component(export.index));
            }
        }),
        Payload::ComponentAliasSection(aliases) => {
            each(open, aliases, |part, around, alias| part.components.extend(alias_of(part, around, &alias)))
        }
        Payload::ComponentTypeSection(types) => each(open, types, |_, _, _| ()),
        _ => Ok(()),
    }
}

/// Reads each definition of a section into the part that it belongs to; the parts around that are at hand.
fn each<'a, T: FromReader<'a>>(
    open: &mut [Part],
    section: SectionLimited<'a, T>,
    read: impl Fn(&mut Part, &[Part], T),
) -> wasmparser::Result<()> {
    let Some((part, around)) = open.split_last_mut() else { return Ok(()) };
    for definition in section {
        part.define(1);
        read(part, around, definition?);
    }
    Ok(())
}

/// Another name for a component: of one around, or of one that an instance exports.
fn alias_of(part: &Part, around: &[Part], alias: &ComponentAlias<'_>) -> Option<Option<Parts>> {
    match *alias {
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
            let outer = std::iter::once(part).chain(around.iter().rev()).nth(count as usize);
            Some(outer.map_or(Some(Parts::default()), |part| part.component(index)))
        }
        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(wat: &str) -> Option<(u64, u64)> {
        parts(&wat::parse_str(wat).unwrap()).map(|parts| (parts.core_instances, parts.definitions))
    }

    #[test]
    fn parts_are_counted_through_components_in_components() {
        assert_eq!(count("(module)"), Some((0, 0)));
        assert_eq!(count("(component (core module $m) (core instance (instantiate $m)))"), Some((1, 1)));
        let shared = "(core instance $i (export \"x\" (func $f)))";
        let func = "(core module $m (func (export \"f\"))) (core instance $n (instantiate $m))
            (alias core export $n \"f\" (core func $f))";
        let counted = count(&format!("(component {func} {shared})"));
        assert_eq!(counted, Some((1, 4)), "an instance of exports is no core instance");
        let nested = "(component
            (component $two (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))
            (component $four (alias outer 1 $two (component $two))
                (instance (instantiate $two)) (instance (instantiate $two)))
            (export $exported \"four\" (component $four))
            (instance (instantiate $four)) (instance (instantiate $exported)))";
        assert_eq!(count(nested), Some((8, 17)));
        assert_eq!(parts(b"\0asm\x0d\0\x01\0\x05"), Some(Parts::default()));
    }

    #[test]
    fn a_component_is_called_for_each_instance_that_has_functions_of_its_own() {
        let component = |instances: usize| {
            let instances = "(instance (instantiate $inner))".repeat(instances);
            let func = "(core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
                (func (export \"f\") (canon lift (core func $i \"f\")))";
            wat::parse_str(format!("(component (component) (component $inner {func}) {instances} {func})")).unwrap()
        };
        let fitting = CALLED_INSTANCES as usize - 1;
        assert_eq!(concurrent(&component(fitting)), Flavour::Concurrent);
        assert_eq!(concurrent(&component(fitting + 1)), Flavour::ManyStacks);
    }

    #[test]
    fn instances_of_a_component_from_elsewhere_are_not_counted_as_none() {
        let given = "(component
            (component $inner (import \"c\" (component $c)) (instance (instantiate $c)))
            (component $leaf (core module $m) (core instance (instantiate $m)))
            (instance (instantiate $inner (with \"c\" (component $leaf)))))";
        let exported = "(component
            (component $holder
                (component $leaf (core module $m) (core instance (instantiate $m)))
                (export \"c\" (component $leaf)))
            (instance $h (instantiate $holder))
            (alias export $h \"c\" (component $c))
            (instance (instantiate $c)))";
        assert_eq!([count(given), count(exported)], [None, None]);
        let unused = "(component (component (import \"c\" (component $c)) (instance (instantiate $c))))";
        assert_eq!(count(unused), Some((0, 0)), "it is never instantiated");
    }
}
