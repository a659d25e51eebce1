//! What a module must be so that its results can be kept.

use wasmparser::{Encoding, Parser, Payload};

use crate::function::{FunctionConfig, RegistryError, RegistryErrorKind};

/// Refuses `cache = "pure"` for a module whose results may depend on more than its arguments.
///
/// A binary that is not WebAssembly is not refused here, because the compiler says more about it.
pub(super) fn check_cache(config: &FunctionConfig, module: &[u8]) -> Result<(), RegistryError> {
    match config.cache.and_then(|_| impurity(module)) {
        None => Ok(()),
        Some(impurity) => {
            let detail = format!(
                "cache = \"pure\" is for core modules that import nothing, and this {impurity}: leave out the \
                 key"
            );
            Err(RegistryError::new(RegistryErrorKind::Invalid, detail))
        }
    }
}

/// Why the results of a module cannot be kept: `module imports "memory" from "env"`.
fn impurity(module: &[u8]) -> Option<String> {
    Parser::new(0).parse_all(module).map_while(Result::ok).find_map(|payload| match payload {
        Payload::Version { encoding: Encoding::Component, .. } => Some("is a component".to_owned()),
        Payload::ImportSection(imports) => {
            let import = imports.into_imports().find_map(Result::ok)?;
            Some(format!("module imports {:?} from {:?}", import.name, import.module))
        }
        Payload::ExportSection(exports) => {
            let is_command = exports.into_iter().flatten().any(|export| export.name == "_start");
            is_command.then(|| "module is a command, as it exports _start".to_owned())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Caching;

    fn refusal(wat: &str, cache: Option<Caching>) -> Option<String> {
        let config = FunctionConfig { cache, ..FunctionConfig::default() };
        let checked = check_cache(&config, &wat::parse_str(wat).unwrap());
        checked.err().map(|error| error.detail().to_owned())
    }

    #[test]
    fn a_module_that_imports_anything_and_what_is_no_core_module_is_refused() {
        let pure = "(module (memory 1) (func (export \"f\") (result i32) (i32.const 1)))";
        let memory = "(module (import \"env\" \"memory\" (memory 1)))";
        let clock = "(module (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func)))";
        let cases = [
            (pure, None),
            (memory, Some("module imports \"memory\" from \"env\"")),
            (clock, Some("module imports \"clock_time_get\" from \"wasi_snapshot_preview1\"")),
            ("(module (func (export \"_start\")))", Some("module is a command, as it exports _start")),
            ("(component (core module))", Some("is a component")),
        ];
        for (wat, impurity) in cases {
            let detail = impurity.map(|impurity| {
                format!(
                    "cache = \"pure\" is for core modules that import nothing, and this {impurity}: leave \
                     out the key"
                )
            });
            assert_eq!(refusal(wat, Some(Caching::Pure)), detail, "{wat}");
            assert_eq!(refusal(wat, None), None, "{wat}");
        }
    }
}
