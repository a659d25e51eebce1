//! A component's functions, and the names by which a caller may mean them.

use std::collections::HashMap;

use wasmtime::component::{
    Component, ComponentExportIndex,
    types::{ComponentFunc, ComponentItem},
};

use super::super::toolchain;
use super::shape::{MAX_PARTS_OF_ALL, Refusal, Signature};
use crate::{
    call::{ErrorKind, InvokeError},
    function::{FunctionConfig, FunctionRef, default_export, list_of},
};

/// The functions that a component exports.
pub(super) struct Exports {
    pub(super) functions: Vec<Function>,
    names: HashMap<String, Meaning>,
}

/// One function that a component exports.
pub(super) struct Function {
    /// The shortest name by which it is meant.
    pub(super) name: String,
    /// The interface that it is exported in: `nebula:shop/cart@1.0.0`.
    pub(super) interface: Option<String>,
    /// Its name in there.
    pub(super) own_name: String,
    pub(super) index: ComponentExportIndex,
    pub(super) signature: Result<Signature, Refusal>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    One(usize),
    Several(Vec<usize>),
}

impl Exports {
    /// The functions of a component, in its order: those of its root, and those of the interfaces it exports.
    pub(super) fn of(component: &Component, engine: &wasmtime::Engine) -> Self {
        let (mut functions, mut left) = (Vec::new(), MAX_PARTS_OF_ALL);
        let ty = component.component_type();
        for (name, item) in ty.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(ty) => {
                    functions.extend(Function::of(component, None, name, &ty, &mut left))
                }
                ComponentItem::ComponentInstance(instance) => {
                    let of_instance = instance.exports(engine).filter_map(|(function, item)| match item.ty {
                        ComponentItem::ComponentFunc(ty) => {
                            Function::of(component, Some(name), function, &ty, &mut left)
                        }
                        _ => None,
                    });
                    functions.extend(of_instance);
                }
                _ => {}
            }
        }
        let names = names(&functions);
        for (index, function) in functions.iter_mut().enumerate() {
            let names_it = |name: &String| names.get(name) == Some(&Meaning::One(index));
            if let Some(name) = function.names().into_iter().find(names_it) {
                function.name = name;
            }
        }
        Self { functions, names }
    }

    /// Why nothing of it can be called, where that is so.
    pub(super) fn refusal(&self) -> Option<InvokeError> {
        let detail = match self.functions.first() {
            None => {
                "the component exports no function: neither wasi:http/handler, nor wasi:cli/run in a version that Nebula \
                 knows, nor one of its own; there is nothing to call"
                    .to_owned()
            }
            Some(first) => {
                let Refusal(why) = first.signature.as_ref().err()?;
                if self.functions.iter().any(|function| function.signature.is_ok()) {
                    return None;
                }
                format!("none of the component's functions can be called with JSON; of {}, {why}", first.name)
            }
        };
        Some(InvokeError::new(ErrorKind::InvalidModule, detail))
    }

    /// The function that a call names, or the one that it means without naming it.
    pub(super) fn find(
        &self,
        reference: &FunctionRef,
        config: &FunctionConfig,
    ) -> Result<(&Function, &Signature), InvokeError> {
        let callable = self.functions.iter().filter(|function| function.signature.is_ok());
        let names = callable.map(|function| function.name.as_str());
        let export = reference.export().or_else(|| default_export(reference.name(), config, names));
        let function =
            export.and_then(|export| self.named(export)).ok_or_else(|| self.no_such_export(reference, config))?;
        match &function.signature {
            Ok(signature) => Ok((function, signature)),
            Err(Refusal(why)) => {
                let detail = format!("{} cannot be called with JSON: {why}", function.name);
                Err(InvokeError::new(ErrorKind::NotFound, detail))
            }
        }
    }

    /// The function that is meant by a name, where it is the only one.
    pub(super) fn named(&self, name: &str) -> Option<&Function> {
        match self.names.get(name)? {
            Meaning::One(index) => self.functions.get(*index),
            Meaning::Several(_) => None,
        }
    }

    fn no_such_export(&self, reference: &FunctionRef, config: &FunctionConfig) -> InvokeError {
        let name = reference.name();
        let exports = list_of(self.functions.iter().map(|function| function.name.as_str()));
        let detail = match reference.export().or(config.export.as_deref()) {
            Some(export) => match self.names.get(export) {
                Some(Meaning::Several(meant)) => {
                    let meant = meant.iter().filter_map(|index| self.functions.get(*index));
                    let meant = list_of(meant.map(|function| function.name.as_str()));
                    format!("function {name} has several exports {export:?}; name one of them: {meant}")
                }
                _ => format!("function {name} has no export {export:?}; it has: {exports}"),
            },
            None => format!("function {name} has several exports; name one as {name}:EXPORT. It has: {exports}"),
        };
        InvokeError::new(ErrorKind::NotFound, detail)
    }
}

impl Function {
    fn of(
        component: &Component,
        interface: Option<&str>,
        name: &str,
        ty: &ComponentFunc,
        left: &mut usize,
    ) -> Option<Self> {
        if toolchain::owns_function(interface, name, ty) {
            return None;
        }
        let instance = match interface {
            Some(interface) => Some(component.get_export_index(None, interface)?),
            None => None,
        };
        let index = component.get_export_index(instance.as_ref(), name)?;
        // `[constructor]cart`, `[method]cart.add`, `[static]cart.merge`.
        let signature = match name.starts_with('[') {
            true => Err(Refusal("it belongs to a resource, which no JSON value can stand for".to_owned())),
            false => Signature::reflect(ty, left),
        };
        let interface = interface.map(str::to_owned);
        Some(Self { name: name.to_owned(), interface, own_name: name.to_owned(), index, signature })
    }

    /// The names that it may be called by, the shortest first.
    fn names(&self) -> Vec<String> {
        let name = &self.own_name;
        let Some(interface) = &self.interface else {
            return vec![name.clone()];
        };
        // A reference to a function has no second `@`, so that the name without the version is the longest it can hold.
        let unversioned = interface.split('@').next().unwrap_or(interface);
        let short = unversioned.rsplit('/').next().unwrap_or(unversioned);
        let mut names = vec![name.clone(), format!("{short}.{name}")];
        for interface in [unversioned, interface] {
            names.push(format!("{interface}.{name}"));
        }
        names.dedup();
        names
    }
}

fn names(functions: &[Function]) -> HashMap<String, Meaning> {
    let mut meanings: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, function) in functions.iter().enumerate() {
        for name in function.names() {
            meanings.entry(name).or_default().push(index);
        }
    }
    let is_root = |index: &usize| functions.get(*index).is_some_and(|function| function.interface.is_none());
    let meaning = |meant: Vec<usize>| match meant.as_slice() {
        [only] => Meaning::One(*only),
        // At the root there is only one of a name, and it has no longer one.
        several => several.iter().copied().find(is_root).map_or(Meaning::Several(meant.clone()), Meaning::One),
    };
    meanings.into_iter().map(|(name, meant)| (name, meaning(meant))).collect()
}
