//! Publishes a version.

use std::sync::Arc;

use axum::{Extension, body::Body, extract::State as FromState, response::Response};
use http::{HeaderMap, StatusCode};
use nebula_runtime::{AliasName, ConfigValue, FunctionConfig, FunctionName, Precondition, Published};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    change::{Outcome, answer, make},
    parameters::{self, Asked, Named},
    state::State,
};
use crate::{
    audit::Line,
    caller::Caller,
    content_digest, precondition,
    problem::{Kind, Problem},
    tokens::Right,
    upload::{Uploaded, parts},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    alias: Option<String>,
}

/// A version that may be published.
struct Checked {
    uploaded: Uploaded,
    precondition: Option<Precondition>,
    alias: Option<AliasName>,
    /// The upload is in memory until it is published.
    _place: OwnedSemaphorePermit,
}

pub(super) async fn publish(
    FromState(state): FromState<Arc<State>>,
    Extension(caller): Extension<Caller>,
    named: Named,
    Asked(options): Asked<Options>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let alias = options.alias.as_deref().map(parameters::alias).transpose()?;
    let (name, by) = (named.function, caller.name());
    let line = Line { alias: alias.clone(), ..caller.line("publish", Some(&name)) };
    let prepare = async {
        caller.may(Right::Publish, Some(&name))?;
        alias.iter().try_for_each(|_| caller.may(Right::Alias, Some(&name)))?;
        let precondition = precondition::of(&headers)?;
        let (body, place) = state.upload(&headers, body).await?;
        content_digest::check(&headers, &body)?;
        let uploaded = parts(&headers, body).await?;
        check_grants(&caller, &name, &uploaded.config)?;
        Ok(Checked { uploaded, precondition, alias, _place: place })
    };
    let (runtime, function) = (Arc::clone(&state.runtime), name.clone());
    let published = make(&state.changes, line, prepare, |checked: Checked| async move {
        let Checked { uploaded: Uploaded { module, config, origin }, precondition, alias, _place } = checked;
        let publication = runtime.publish(&function, module).config(config).origin(origin).alias(alias).by(by);
        publication.only_if(precondition).revised().await
    });
    let published = published.await?;
    let status = if published.value.changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &published.value, published.revision))
}

/// Refuses a configuration that takes what its sender has no right to.
fn check_grants(caller: &Caller, name: &FunctionName, config: &FunctionConfig) -> Result<(), Problem> {
    if let Some(part) = part_of_server(config) {
        let detail = format!("{part} is not granted: this is granted on the server's machine only, by who runs it");
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    // A function reads and writes the whole of a service, whatever other functions keep there.
    if !config.keyvalue.is_empty() || !config.blobs.is_empty() {
        caller.may(Right::Data, Some(name)).map_err(|problem| {
            let detail = format!("the services of the server are not granted: {}", problem.detail());
            Problem::new(Kind::Forbidden, detail)
        })?;
    }
    // The code of an imported function becomes a part of this one.
    for function in config.imports.values() {
        caller.may(Right::Read, Some(function.name())).map_err(|problem| {
            let detail = format!("imports: function {} is not linked: {}", function.name(), problem.detail());
            Problem::new(Kind::Forbidden, detail)
        })?;
    }
    Ok(())
}

/// The first part of the server that a configuration would use: a folder, or a variable or a file that a value refers to.
/// A function could send either of them away.
fn part_of_server(config: &FunctionConfig) -> Option<String> {
    if let Some(dir) = config.dirs.first() {
        return Some(format!("dirs: the folder {}", dir.host.display()));
    }
    let values =
        config.env.iter().map(|value| ("env", value)).chain(config.config.iter().map(|value| ("config", value)));
    values.into_iter().find_map(|(key, (name, value))| match value {
        ConfigValue::Text(_) => None,
        ConfigValue::Env(variable) => Some(format!("{key}.{name}: the environment variable {variable}")),
        ConfigValue::File(path) => Some(format!("{key}.{name}: the file {}", path.display())),
    })
}

impl Outcome for Published {
    fn outcome(&self) -> String {
        let unchanged = if self.changed { "" } else { "unchanged: " };
        format!("{unchanged}version {} ({})", self.info.version, self.info.digest)
    }

    fn version(&self) -> Option<u64> {
        Some(self.info.version)
    }
}
