//! A function of numbers.

use wasmtime::{ExternType, FuncType, Module, ModuleExport};

use super::{super::toolchain, inline::InlineCalls, number::Number};

/// An exported function of numbers.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) export: ModuleExport,
    pub(super) params: Vec<Number>,
    pub(super) results: usize,
    pub(super) inline: InlineCalls,
}

impl Function {
    pub(super) fn new(module: &Module, name: &str, ty: &ExternType) -> Option<Self> {
        let ty = ty.func().filter(|_| !toolchain::owns(name)).filter(|ty| is_callable(ty))?;
        let export = module.get_export_index(name)?;
        let params = ty.params().map(|ty| Number::of(&ty)).collect::<Option<_>>()?;
        let results = ty.results().len();
        Some(Self { name: name.to_owned(), export, params, results, inline: InlineCalls::default() })
    }
}

/// Whether a function of this type takes and returns numbers alone.
pub(super) fn is_callable(ty: &FuncType) -> bool {
    ty.params().chain(ty.results()).all(|ty| Number::of(&ty).is_some())
}
