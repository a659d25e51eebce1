//! `nebula kv`.

use std::io::{self, Read as _};

use clap::{Args, Subcommand};
use nebula_local::ExitCode;
use nebula_runtime::{ServiceName, keyvalue::MAX_KEY};

use crate::{
    data::Data,
    failure::Failure,
    global::Global,
    print::{self, List},
    services::ServiceOptions,
};

const EXAMPLES: &str = "\
Examples:
  nebula kv set state greeting Hi
  nebula kv set state picture < picture.png
  nebula kv get state greeting
  nebula kv list state --prefix shop/
  nebula kv list state --json | jq length
  nebula kv delete state greeting
  nebula kv get state greeting --server https://functions.example.com

SERVICE is a name of [services] in nebula.toml. With nothing configured, it is
the service of that name beside the store, as nebula serve has it. With
--server, it is a service of the server, and the token needs the right data.";

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
        /// Print a JSON array of the keys
        #[arg(long)]
        json: bool,
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
        let data = global.places.data(&self.services)?;
        match self.action {
            Action::Get { service, key } => {
                print::octets(&data.value(&service, &key).await?)?;
            }
            Action::Set { service, key, value } => {
                let value = value.map_or_else(stdin, |value| Ok(value.into_bytes()))?;
                data.set_value(&service, &key, value.into()).await?;
            }
            Action::Delete { service, key } => data.delete_value(&service, &key).await?,
            Action::List { service, prefix, json } => list(&*data, &service, &prefix, json).await?,
        }
        Ok(ExitCode::OK)
    }
}

async fn list(data: &dyn Data, service: &ServiceName, prefix: &str, json: bool) -> Result<(), Failure> {
    let (mut cursor, mut keys) = (None, List::new(json));
    loop {
        let page = data.keys(service, prefix, cursor.as_deref()).await?;
        if !keys.print(&page.keys, |key| print::name(key) + "\n")? {
            return Ok(());
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return keys.end();
        }
    }
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    io::stdin().lock().read_to_end(&mut value).map_err(Failure::Standard)?;
    Ok(value)
}
