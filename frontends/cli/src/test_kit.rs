//! Readers of what others write, for fuzz targets. It is there with the feature `test-kit`.

use std::path::Path;

use nebula_runtime::FunctionConfig;

use crate::{
    config::Config,
    oci::{Artifact, OciReference, function_config},
};

/// The settings of the functions of a `nebula.toml` with this text.
///
/// # Errors
/// The text has a mistake: the line of the file and what is wrong.
pub fn read_config(text: &str) -> Result<Vec<FunctionConfig>, String> {
    let config = Config::parse(Path::new("nebula.toml"), text).map_err(|problem| problem.to_string())?;
    Ok(config.functions.into_iter().map(|function| function.config).collect())
}

/// Reads the manifest of an artifact as a pull does.
///
/// # Errors
/// It is no manifest of a function: what is wrong.
pub fn read_manifest(manifest: &[u8]) -> Result<(), String> {
    let reference =
        "oci://registry.example.com/team/shop:1.0".parse::<OciReference>().map_err(|error| error.to_string())?;
    Artifact::of(&reference, manifest).map(drop).map_err(|error| error.to_string())
}

/// The function's settings in the configuration of an artifact, if Nebula pushed it.
///
/// # Errors
/// It is no configuration of an artifact: what is wrong.
pub fn read_manifest_config(config: &[u8]) -> Result<Option<FunctionConfig>, String> {
    function_config(config).map_err(|error| error.to_string())
}

/// A reference of a registry, as it is displayed.
///
/// # Errors
/// It is none: what is wrong.
pub fn read_reference(text: &str) -> Result<String, String> {
    text.parse().map(|reference: OciReference| reference.to_string()).map_err(|error| error.to_string())
}
