//! What a component imports.

use wasmtime::component::{
    Component, Type,
    types::{self, ComponentFunc, ComponentItem},
};

use super::names::is_of;

/// What a component imports. A name does not always say the type of what it names: some interfaces changed under one
/// version. There the types of the imports decide what is linked.
pub(super) struct Imports<'a> {
    engine: &'a wasmtime::Engine,
    ty: types::Component,
}

impl<'a> Imports<'a> {
    pub(super) fn of(engine: &'a wasmtime::Engine, component: &Component) -> Self {
        Self { engine, ty: component.component_type() }
    }

    /// Whether one of these interfaces is imported.
    pub(super) fn has(&self, interfaces: &[&str]) -> bool {
        self.ty.imports(self.engine).any(|(name, _)| is_of(interfaces, name))
    }

    /// Whether this function of an interface is imported.
    pub(super) fn has_function(&self, interface: &str, name: &str) -> bool {
        self.function(interface, name).is_some()
    }

    /// What this function of an interface returns if it succeeds, if it is imported and returns a result.
    pub(super) fn success(&self, interface: &str, name: &str) -> Option<Type> {
        match self.function(interface, name)?.results().next()? {
            Type::Result(result) => result.ok(),
            _ => None,
        }
    }

    fn function(&self, interface: &str, name: &str) -> Option<ComponentFunc> {
        let ComponentItem::ComponentInstance(instance) = self.ty.get_import(self.engine, interface)?.ty else {
            return None;
        };
        match instance.get_export(self.engine, name)?.ty {
            ComponentItem::ComponentFunc(function) => Some(function),
            _ => None,
        }
    }
}
