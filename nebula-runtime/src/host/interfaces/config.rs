//! The interfaces through which components read settings.

use std::sync::Arc;

use wasmtime::{
    AsContextMut as _, StoreContextMut,
    component::{ComponentNamedList, ComponentType, Linker, Lower, Type},
};

use super::imports::Imports;
use crate::{
    engine::{Engine, Host},
    host::system::System,
};

/// What the names of the interfaces begin with.
pub(super) const INTERFACES: &[&str] = &["wasi:config/", "fermyon:spin/variables@", "spin:variables/"];

/// The names of one and the same interface: the proposal's own, those of its drafts, and wasmCloud's.
const STORES: [&str; 4] = [
    "wasi:config/store@0.2.0-rc.1",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:config/store@0.2.0-draft",
    RUNTIME,
];

/// wasmCloud's name. In its first weeks, early in 2024, the values had the type `list<u8>`.
const RUNTIME: &str = "wasi:config/runtime@0.2.0-draft";

/// Spin's variables.
const VARIABLES: &str = "fermyon:spin/variables@2.0.0";

/// Those of Spin 4, whose function is `async`.
const ASYNC_VARIABLES: &str = "spin:variables/variables@3.0.0";

/// `error` of `wasi:config/store`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum ConfigError {
    #[component(name = "upstream")]
    Upstream(String),
    #[component(name = "io")]
    #[expect(dead_code, reason = "a case of the interface")]
    Io(String),
}

/// `error` of `fermyon:spin/variables`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum VariableError {
    #[component(name = "invalid-name")]
    InvalidName(String),
    #[component(name = "undefined")]
    Undefined(String),
    #[component(name = "provider")]
    Provider(String),
    #[component(name = "other")]
    #[expect(dead_code, reason = "a case of the interface")]
    Other(String),
}

/// Adds the interfaces.
pub(super) fn link(linker: &mut Linker<Host<System>>, engine: &Engine, imports: &Imports<'_>) -> wasmtime::Result<()> {
    for name in STORES {
        let mut store = linker.instance(name)?;
        if name == RUNTIME && wants_octets(imports) {
            store.func_wrap("get", get::<Vec<u8>>)?;
            store.func_wrap("get-all", get_all::<Vec<u8>>)?;
        } else {
            store.func_wrap("get", get::<String>)?;
            store.func_wrap("get-all", get_all::<String>)?;
        }
    }
    linker.instance(VARIABLES)?.func_wrap("get", variable)?;
    if !engine.is_concurrent() {
        return Ok(());
    }
    linker.instance(ASYNC_VARIABLES)?.func_wrap_concurrent("get", |accessor, name: (String,)| {
        let text = accessor.with(|mut host| variable(host.as_context_mut(), name));
        Box::pin(async move { text })
    })
}

/// Whether the values of [`RUNTIME`] have the type `list<u8>`.
fn wants_octets(imports: &Imports<'_>) -> bool {
    let one = match imports.success(RUNTIME, "get") {
        Some(Type::Option(value)) => Some(value.ty()),
        _ => None,
    };
    let all = || match imports.success(RUNTIME, "get-all")? {
        Type::List(entries) => match entries.ty() {
            Type::Tuple(entry) => entry.types().nth(1),
            _ => None,
        },
        _ => None,
    };
    matches!(one.or_else(all), Some(Type::List(_)))
}

/// What a function returns: one result.
type Returned<T, E> = wasmtime::Result<(Result<T, E>,)>;

fn get<V>(host: StoreContextMut<'_, Host<System>>, (key,): (String,)) -> Returned<Option<V>, ConfigError>
where
    V: From<String> + ComponentType + Lower,
{
    let got = host.data().wasi.settings().get(&key);
    returned(got.map(|text| text.map(value)).map_err(|error| ConfigError::Upstream(error.to_string())))
}

fn get_all<V>(host: StoreContextMut<'_, Host<System>>, (): ()) -> Returned<Vec<(String, V)>, ConfigError>
where
    V: From<String> + ComponentType + Lower,
{
    let all = host.data().wasi.settings().all();
    let all = all.map(|all| all.into_iter().map(|(name, text)| (name.to_owned(), value(text))).collect());
    returned(all.map_err(|error| ConfigError::Upstream(error.to_string())))
}

fn variable(host: StoreContextMut<'_, Host<System>>, (name,): (String,)) -> Returned<String, VariableError> {
    let text = match host.data().wasi.settings().get(&name) {
        _ if !is_variable_name(&name) => Err(VariableError::InvalidName(name)),
        Ok(Some(text)) => Ok(text.to_string()),
        Ok(None) => Err(VariableError::Undefined(name)),
        Err(error) => Err(VariableError::Provider(error.to_string())),
    };
    returned(text)
}

/// A setting in the type that the guest wants.
fn value<V: From<String>>(text: Arc<str>) -> V {
    V::from(text.to_string())
}

fn returned<T, E>(result: Result<T, E>) -> Returned<T, E>
where
    (Result<T, E>,): ComponentNamedList,
{
    Ok((result,))
}

/// Spin's rule: words of lower-case letters and digits, each beginning with a letter, with one `_` between two.
fn is_variable_name(name: &str) -> bool {
    name.split('_').all(|word| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_variable_is_of_words_in_lower_case() {
        let cases =
            [("api_key", true), ("a1", true), ("", false), ("_a", false), ("a__b", false), ("A", false), ("1a", false)];
        for (name, is_one) in cases {
            assert_eq!(is_variable_name(name), is_one, "{name}");
        }
    }
}
