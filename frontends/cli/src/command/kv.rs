//! `nebula kv`.

use std::io::{self, Read as _, Write as _};

use clap::{Args, Subcommand};
use nebula_local::ExitCode;
use nebula_runtime::{
    ServiceName,
    keyvalue::{KeyValue, MAX_KEY},
};

use crate::{failure::Failure, global::Global, print, services::ServiceOptions};

const EXAMPLES: &str = "\
Examples:
  nebula kv set state greeting Hi
  nebula kv set state picture < picture.png
  nebula kv get state greeting
  nebula kv list state --prefix shop/
  nebula kv delete state greeting

SERVICE is a name of [services] in nebula.toml. With nothing configured, it is
the service of that name beside the store, as nebula serve has it.";

/// Reads and changes the values of a key-value service
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Kv {
    #[command(flatten)]
    services: ServiceOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the value of a key to stdout, as it is
    Get {
        /// The service
        service: ServiceName,
        /// The key
        #[arg(value_parser = key)]
        key: String,
    },
    /// Set the value of a key
    Set {
        /// The service
        service: ServiceName,
        /// The key
        #[arg(value_parser = key)]
        key: String,
        /// The value [default: all of stdin]
        value: Option<String>,
    },
    /// Delete a key
    Delete {
        /// The service
        service: ServiceName,
        /// The key
        #[arg(value_parser = key)]
        key: String,
    },
    /// List the keys, one on a line. A key with a character that a line cannot have is written as JSON
    List {
        /// The service
        service: ServiceName,
        /// Only keys that begin with this
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
    },
}

/// A key that every service can keep.
fn key(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_KEY {
        return Err(format!("a key has 1 to {MAX_KEY} bytes"));
    }
    Ok(text.to_owned())
}

impl Kv {
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let services = self.services.open(&global.places.store_url()?)?;
        let service = self.action.service();
        let store = services.find_keyvalue(service).ok_or_else(|| Failure::NoService(service.clone()))?;
        match self.action {
            Action::Get { service, key } => get(&*store, &service, &key).await,
            Action::Set { key, value, .. } => {
                let value = value.map_or_else(stdin, |value| Ok(value.into_bytes()))?;
                store.set(&key, value.into()).await?;
                Ok(ExitCode::OK)
            }
            Action::Delete { key, .. } => {
                store.delete(&key).await?;
                Ok(ExitCode::OK)
            }
            Action::List { prefix, .. } => list(&*store, &prefix).await,
        }
    }
}

impl Action {
    fn service(&self) -> &ServiceName {
        match self {
            Self::Get { service, .. }
            | Self::Set { service, .. }
            | Self::Delete { service, .. }
            | Self::List { service, .. } => service,
        }
    }
}

async fn get(store: &dyn KeyValue, service: &ServiceName, key: &str) -> Result<u8, Failure> {
    let no_key = || Failure::NoKey { service: service.clone(), key: key.to_owned() };
    let value = store.get(key).await?.ok_or_else(no_key)?;
    io::stdout().write_all(&value).map_err(Failure::Standard)?;
    Ok(ExitCode::OK)
}

async fn list(store: &dyn KeyValue, prefix: &str) -> Result<u8, Failure> {
    let mut cursor = None;
    loop {
        let page = store.list(prefix, cursor.as_deref()).await?;
        let lines: String = page.keys.iter().map(|key| line(key) + "\n").collect();
        if !print::part(&lines)? {
            return Ok(ExitCode::OK);
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(ExitCode::OK);
        }
    }
}

fn line(key: &str) -> String {
    let is_plain = !key.starts_with('"') && !key.contains(char::is_control);
    if is_plain { key.to_owned() } else { serde_json::Value::from(key).to_string() }
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    io::stdin().lock().read_to_end(&mut value).map_err(Failure::Standard)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line() {
        let cases = [("shop/a b", "shop/a b"), ("a\nb", r#""a\nb""#), ("\"a\"", r#""\"a\"""#)];
        for (key, written) in cases {
            assert_eq!(line(key), written);
        }
    }
}
