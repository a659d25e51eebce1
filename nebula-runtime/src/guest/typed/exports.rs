//! A component's functions, and the names by which a caller may call them.

use std::collections::HashMap;

use wasmtime::component::{
    Component, ComponentExportIndex,
    types::{ComponentFunc, ComponentItem},
};

use super::super::toolchain;
use super::shape::{MAX_PARTS_OF_ALL, NotCallable, Signature};
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
    /// The shortest name that means only this function.
    pub(super) name: String,
    /// The interface that exports the function, such as `nebula:shop/cart@1.0.0`. `None` for a function of the root.
    pub(super) interface: Option<String>,
    /// The function's name within its interface.
    pub(super) own_name: String,
    pub(super) index: ComponentExportIndex,
    pub(super) signature: Result<Signature, NotCallable>,
}

/// The functions that a name can mean, as indices.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    One(usize),
    Several(Vec<usize>),
}

impl Exports {
    /// The functions of a component in the order in which it exports them, including those of its interfaces.
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

    /// The error for a component of which no function can be called. `None` if one can be called.
    pub(super) fn refusal(&self) -> Option<InvokeError> {
        let detail = match self.functions.first() {
            None => {
                "the component exports no function that Nebula can call: no wasi:http/handler or wasi:cli/run in a version \
                 that Nebula knows, and no function of its own; there is nothing to call"
                    .to_owned()
            }
            Some(first) => {
                let NotCallable(why) = first.signature.as_ref().err()?;
                if self.functions.iter().any(|function| function.signature.is_ok()) {
                    return None;
                }
                format!("none of the component's functions can be called with JSON; of {}, {why}", first.name)
            }
        };
        Some(InvokeError::new(ErrorKind::InvalidModule, detail))
    }

    /// The function that a call names, or the default one if it names none.
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
            Err(NotCallable(why)) => {
                let detail = format!("{} cannot be called with JSON: {why}", function.name);
                Err(InvokeError::new(ErrorKind::NotFound, detail))
            }
        }
    }

    /// The function that a name means. `None` if it means none or several.
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
            true => Err(NotCallable("it belongs to a resource, which no JSON value can stand for".to_owned())),
            false => Signature::reflect(ty, left),
        };
        let interface = interface.map(str::to_owned);
        Some(Self { name: name.to_owned(), interface, own_name: name.to_owned(), index, signature })
    }

    /// All names by which the function may be called, the shortest first.
    fn names(&self) -> Vec<String> {
        let name = &self.own_name;
        let Some(interface) = &self.interface else {
            return vec![name.clone()];
        };
        // A function reference cannot have a second `@`, so a caller cannot use the names with an interface's version.
        // But the configuration can.
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
        // A function of the root has no longer name, so the short one means that function. The root has at most one of
        // a name.
        several => several.iter().copied().find(is_root).map_or(Meaning::Several(meant.clone()), Meaning::One),
    };
    meanings.into_iter().map(|(name, meant)| (name, meaning(meant))).collect()
}
