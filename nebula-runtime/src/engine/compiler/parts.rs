//! Counts the parts of which an instance of a component consists, before the component is compiled.

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, FromReader, Instance, Parser, Payload, SectionLimited,
};

use super::super::{Flavour, allocation::CALLED_INSTANCES};

/// How many parts an instance of a component has, including the instances of nested components.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PartCounts {
    pub(super) core_instances: u64,
    /// Instances, imports, exports, functions, types and other definitions. Wasmtime visits those of each instance.
    pub(super) definitions: u64,
    /// The component instances that can be called: they have functions of their own, and do not only export those of
    /// others.
    called_instances: u64,
}

impl PartCounts {
    fn and(self, more: Self) -> Self {
        Self {
            core_instances: self.core_instances.saturating_add(more.core_instances),
            definitions: self.definitions.saturating_add(more.definitions),
            called_instances: self.called_instances.saturating_add(more.called_instances),
        }
    }
}

/// The flavour of a component that runs tasks of its own.
pub(super) fn concurrent_flavour(wasm: &[u8]) -> Flavour {
    match parts(wasm) {
        Some(PartCounts { called_instances, .. }) if called_instances <= u64::from(CALLED_INSTANCES) => {
            Flavour::Concurrent
        }
        _ => Flavour::ManyStacks,
    }
}

/// Counts the parts of an instance of a component. A module has none, and neither has a binary that is not WebAssembly.
///
/// Returns `None` if a component instantiates a component that it imports or that an instance exports. To find out
/// which component that is, all instances would have to be followed, and there may be too many of these. No toolchain
/// makes such components.
pub(super) fn parts(wasm: &[u8]) -> Option<PartCounts> {
    let mut open = Vec::<OpenPart>::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { encoding, .. } => open.push(OpenPart::new(encoding)),
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
    Some(PartCounts::default())
}

/// A component or a module of which a beginning has been read.
struct OpenPart {
    is_component: bool,
    is_called: bool,
    /// `None` if they cannot be counted.
    parts: Option<PartCounts>,
    /// The parts of an instance of each nested component, in the order of the components' indices.
    components: Vec<Option<PartCounts>>,
}

impl OpenPart {
    fn new(encoding: Encoding) -> Self {
        let parts = Some(PartCounts::default());
        Self { is_component: encoding == Encoding::Component, is_called: false, parts, components: Vec::new() }
    }

    fn add(&mut self, more: Option<PartCounts>) {
        self.parts = self.parts.zip(more).map(|(parts, more)| parts.and(more));
    }

    fn define(&mut self, names: usize) {
        self.add(Some(PartCounts { definitions: names as u64, ..PartCounts::default() }));
    }

    fn core_instance(&mut self, instance: &Instance<'_>) {
        match instance {
            Instance::Instantiate { args, .. } => {
                self.add(Some(PartCounts { core_instances: 1, ..PartCounts::default() }));
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
            self.add(Some(PartCounts { called_instances: 1, ..PartCounts::default() }));
        }
    }

    /// The parts of an instance of the nested component with this index. An index that is not valid has none; the
    /// compiler refuses it later.
    fn component(&self, index: u32) -> Option<PartCounts> {
        self.components.get(index as usize).copied().unwrap_or(Some(PartCounts::default()))
    }
}

fn read(open: &mut [OpenPart], payload: Payload<'_>) -> wasmparser::Result<()> {
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

/// Reads each definition of a section. `read` is given the innermost open component and those that enclose it.
fn each<'a, T: FromReader<'a>>(
    open: &mut [OpenPart],
    section: SectionLimited<'a, T>,
    read: impl Fn(&mut OpenPart, &[OpenPart], T),
) -> wasmparser::Result<()> {
    let Some((part, around)) = open.split_last_mut() else { return Ok(()) };
    for definition in section {
        part.define(1);
        read(part, around, definition?);
    }
    Ok(())
}

/// The component that an alias adds, if it adds one: a component of an enclosing component, or one that an instance
/// exports. The inner `None` says that its parts cannot be counted.
fn alias_of(part: &OpenPart, around: &[OpenPart], alias: &ComponentAlias<'_>) -> Option<Option<PartCounts>> {
    match *alias {
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
            let outer = std::iter::once(part).chain(around.iter().rev()).nth(count as usize);
            Some(outer.map_or(Some(PartCounts::default()), |part| part.component(index)))
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
    fn the_parts_of_nested_components_are_counted() {
        assert_eq!(count("(module)"), Some((0, 0)));
        assert_eq!(count("(component (core module $m) (core instance (instantiate $m)))"), Some((1, 1)));
        let shared = "(core instance $i (export \"x\" (func $f)))";
        let func = "(core module $m (func (export \"f\"))) (core instance $n (instantiate $m))
            (alias core export $n \"f\" (core func $f))";
        let counted = count(&format!("(component {func} {shared})"));
        assert_eq!(counted, Some((1, 4)), "an instance made of exports is not a core instance");
        let nested = "(component
            (component $two (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))
            (component $four (alias outer 1 $two (component $two))
                (instance (instantiate $two)) (instance (instantiate $two)))
            (export $exported \"four\" (component $four))
            (instance (instantiate $four)) (instance (instantiate $exported)))";
        assert_eq!(count(nested), Some((8, 17)));
        assert_eq!(parts(b"\0asm\x0d\0\x01\0\x05"), Some(PartCounts::default()));
    }

    #[test]
    fn each_instance_with_functions_of_its_own_counts_as_callable() {
        let component = |instances: usize| {
            let instances = "(instance (instantiate $inner))".repeat(instances);
            let func = "(core module $m (func (export \"f\"))) (core instance $i (instantiate $m))
                (func (export \"f\") (canon lift (core func $i \"f\")))";
            wat::parse_str(format!("(component (component) (component $inner {func}) {instances} {func})")).unwrap()
        };
        let fitting = CALLED_INSTANCES as usize - 1;
        assert_eq!(concurrent_flavour(&component(fitting)), Flavour::Concurrent);
        assert_eq!(concurrent_flavour(&component(fitting + 1)), Flavour::ManyStacks);
    }

    #[test]
    fn a_component_that_instantiates_an_imported_or_exported_component_cannot_be_counted() {
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
        assert_eq!(count(unused), Some((0, 0)), "the inner component is never instantiated");
    }
}
