//! A token, and the secret that stands for it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use nebula_runtime::{Digest, FunctionName, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq as _};

use super::rights::{FunctionPattern, Right};

/// The name of a token, under which its changes are in the history of functions.
///
/// - It is 1 to 63 of `a-z A-Z 0-9 - _ . @`, and begins with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenName(String);

/// A text that is no [`TokenName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid name of a token {0:?}: expected 1 to 63 letters, digits, and - _ . @, beginning with a letter or a digit"
)]
pub struct InvalidTokenName(String);

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its name.
    pub name: TokenName,
    /// What it allows.
    pub rights: BTreeSet<Right>,
    /// The functions that it is for. Without any, it is for all functions.
    pub functions: BTreeSet<FunctionPattern>,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
}

/// A token, as a server knows it. The server does not know its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Token {
    /// Its name.
    pub name: TokenName,
    /// The SHA-256 of its secret.
    secret: Digest,
    /// What it allows.
    pub rights: BTreeSet<Right>,
    /// The functions that it is for. Without any, it is for all functions.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub functions: BTreeSet<FunctionPattern>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// What the holder of a token has: `nebula_` and 256 random bits. It is shown once, and kept nowhere.
pub struct Secret(String);

impl Token {
    /// A token with the secret that stands for it.
    pub(super) fn of(new: NewToken, secret: &Secret) -> Self {
        let NewToken { name, rights, functions, expires_at } = new;
        let secret = Digest::of(secret.0.as_bytes());
        Self { name, secret, rights, functions, created_at: Timestamp::now(), expires_at }
    }

    /// Whether its secret has this digest. It takes the same time for every digest.
    pub(super) fn has_secret(&self, digest: &Digest) -> Choice {
        self.secret.as_bytes().ct_eq(digest.as_bytes())
    }

    /// Whether it is for this function.
    pub fn is_for(&self, function: &FunctionName) -> bool {
        self.functions.is_empty() || self.functions.iter().any(|pattern| pattern.includes(function))
    }

    /// Whether it is for all functions.
    pub fn is_for_all(&self) -> bool {
        self.functions.is_empty() || self.functions.iter().any(FunctionPattern::includes_all)
    }

    /// Whether it has ended.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

impl Secret {
    /// What every secret begins with, so that tools find one that was published by mistake.
    const PREFIX: &'static str = "nebula_";

    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits)?;
        Ok(Self(format!("{}{}", Self::PREFIX, BASE64_URL_SAFE_NO_PAD.encode(bits))))
    }

    /// The secret as text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// It is not shown where something is only debugged.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nebula_…")
    }
}

impl TokenName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenName {
    type Err = InvalidTokenName;

    fn from_str(text: &str) -> Result<Self, InvalidTokenName> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        match begins && text.len() <= 63 && text.bytes().all(is_fine) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidTokenName(text.chars().take(80).collect())),
        }
    }
}

impl TryFrom<String> for TokenName {
    type Error = InvalidTokenName;

    fn try_from(text: String) -> Result<Self, InvalidTokenName> {
        text.parse()
    }
}

impl From<TokenName> for String {
    fn from(name: TokenName) -> Self {
        name.0
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
