//! Linking the imports of a component to what other components export.

use bytes::Bytes;
use wac_graph::{CompositionGraph, EncodeOptions, types::Package};

use crate::function::{FunctionName, LinkedImport, RegistryError, RegistryErrorKind};

/// The component `socket` with the exports of others in place of its imports. What the others import besides stays an
/// import of the whole. The same parts always give the same bytes.
///
/// Blocks for as long as it takes to read and write them all.
///
/// # Errors
/// [`RegistryErrorKind::Invalid`] where there is no such import, or the other has no such export or one of another type.
pub(crate) fn compose(
    name: &FunctionName,
    socket: &Bytes,
    plugs: &[(&LinkedImport, Bytes)],
) -> Result<Bytes, RegistryError> {
    let mut graph = CompositionGraph::new();
    let package = register(&mut graph, name.as_str(), socket)?;
    let world = graph.types()[graph[package].ty()].clone();
    let whole = graph.instantiate(package);
    for (linked, component) in plugs {
        let refused = |why: String| {
            let detail =
                format!("imports: {:?} cannot be linked to function {}: {why}", linked.import, linked.function);
            RegistryError::new(RegistryErrorKind::Invalid, detail)
        };
        let import = matching(&linked.import, world.imports.keys()).ok_or_else(|| {
            refused(format!("the component has no such import; it imports {}", listed(world.imports.keys())))
        })?;
        // Two imports may be of the same function; a package may be registered once.
        let package = register(&mut graph, &format!("{}-{}", linked.function.name(), linked.digest.hex()), component)?;
        let exports = graph.types()[graph[package].ty()].exports.clone();
        let export = matching(&linked.import, exports.keys())
            .ok_or_else(|| refused(format!("it has no such export; it exports {}", listed(exports.keys()))))?;
        let plug = graph.instantiate(package);
        let argument = graph.alias_instance_export(plug, export).map_err(|error| refused(error.to_string()))?;
        graph.set_instantiation_argument(whole, import, argument).map_err(|error| refused(chain(&error)))?;
    }
    for name in world.exports.keys() {
        let export = graph.alias_instance_export(whole, name).map_err(|error| broken(&error))?;
        graph.export(export, name).map_err(|error| broken(&error))?;
    }
    graph.encode(EncodeOptions::default()).map(Bytes::from).map_err(|error| broken(&error))
}

fn register(
    graph: &mut CompositionGraph,
    name: &str,
    component: &Bytes,
) -> Result<wac_graph::PackageId, RegistryError> {
    if let Some((id, _)) = graph.get_package_by_name(&format!("nebula:{name}"), None) {
        return Ok(id);
    }
    let package = Package::from_bytes(&format!("nebula:{name}"), None, component.to_vec(), graph.types_mut());
    let package = package.map_err(|error| {
        RegistryError::new(RegistryErrorKind::Invalid, format!("function {name} cannot be linked: {error:#}"))
    })?;
    graph.register_package(package).map_err(|error| broken(&error))
}

/// The name that is meant: itself, or the only one that is it with a version.
fn matching<'a>(name: &str, names: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let mut versioned = Vec::new();
    for candidate in names {
        if candidate == name {
            return Some(candidate);
        }
        if candidate.split_once('@').is_some_and(|(bare, _)| bare == name) {
            versioned.push(candidate.as_str());
        }
    }
    match versioned.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(String::as_str).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn broken(error: &dyn std::error::Error) -> RegistryError {
    RegistryError::new(RegistryErrorKind::Invalid, format!("the components cannot be linked: {}", chain(error)))
}
