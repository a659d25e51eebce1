//! `[trust]`: the keys, and what they are required for.

use std::{collections::BTreeMap, fs, path::Path};

use nebula_runtime::{Trust, TrustedKey, store::trust::PublicKey};

use super::schema;

/// A key of `[trust]` whose value is wrong, and what is wrong with it.
pub(super) struct WrongTrust {
    pub(super) key: &'static str,
    pub(super) detail: String,
}

/// Reads the keys that `[trust]` names.
pub(super) fn check(base: &Path, written: schema::Trust) -> Result<Trust, WrongTrust> {
    let schema::Trust { keys, require, lowest } = written;
    let keys = keys.iter().map(|path| key(base, path)).collect::<Result<Vec<_>, _>>();
    let keys = keys.map_err(|detail| WrongTrust { key: "keys", detail })?;
    let lowest: BTreeMap<_, _> = lowest.into_iter().map(|(name, number)| (name, number.get())).collect();
    match (require, lowest.is_empty()) {
        (true, _) => {
            Trust::required(keys, lowest).map_err(|error| WrongTrust { key: "require", detail: error.to_string() })
        }
        (false, true) => Ok(Trust::optional(keys)),
        (false, false) => {
            let detail = "only a signature proves the number of a version: set require = true too".to_owned();
            Err(WrongTrust { key: "lowest", detail })
        }
    }
}

fn key(base: &Path, path: &Path) -> Result<TrustedKey, String> {
    let file = base.join(path);
    let text = fs::read(&file).map_err(|error| format!("failed to read {}: {error}", file.display()))?;
    let key = PublicKey::from_pem(&text).map_err(|error| format!("{} is no public key: {error}", file.display()))?;
    Ok(TrustedKey::new(path.display().to_string(), key))
}
