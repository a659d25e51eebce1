//! How a caller names a function: `name[:export][@version]`.

use std::{borrow::Borrow, fmt, num::NonZeroU64, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// The name under which versions of a function are published.
///
/// - 1 to 63 characters of `a-z 0-9 -`, the first of them a letter: safe as a path segment, a file name and a host
///   label.
/// - Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionName(Arc<str>);

/// A movable name for a version of a function, such as `prod`.
///
/// - Written like a [`FunctionName`], and never `latest`, which always names the newest version.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AliasName(Arc<str>);

/// Which of a function's versions a caller wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VersionRef {
    /// The newest one: what a reference without `@` means.
    Latest,
    /// One by its number; the first is 1.
    Number(NonZeroU64),
    /// The one that an alias points to.
    Alias(AliasName),
    /// The one whose module has this digest.
    Digest(Digest),
}

/// A function, one of its exports and one of its versions: `treats`, `treats@3`, `calc:add@prod`, `resize@sha256:9f…`.
///
/// - `name` is a valid [`FunctionName`].
/// - `export` is not empty and has no `@`.
/// - Printing and parsing are each other's inverse.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionRef {
    name: FunctionName,
    export: Option<Arc<str>>,
    version: VersionRef,
}

/// A text that does not name a function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFunctionRef {
    /// The part before `:` and `@` is not a function's name.
    #[error("invalid function name {0:?}: expected 1 to 63 of a-z, 0-9 and -, starting with a letter")]
    Name(String),
    /// The alias is not a name, or is reserved.
    #[error("invalid alias {0:?}: expected 1 to 63 of a-z, 0-9 and -, starting with a letter")]
    Alias(String),
    /// `latest` was to be an alias.
    #[error(
        "invalid alias \"latest\": it always names the newest version, and cannot be moved or rolled back. To choose the \
         version that callers get, let them call an alias, as NAME@prod: `nebula alias NAME prod VERSION`"
    )]
    Latest,
    /// There is a `:` and no export after it.
    #[error("invalid function reference {0:?}: the export after ':' is empty")]
    Export(String),
    /// What follows `@` is neither a number, nor an alias, nor a digest.
    #[error("invalid version {0:?}: expected a number from 1, an alias, or sha256: and 64 hexadecimal digits")]
    Version(String),
}

impl FunctionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AliasName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FunctionRef {
    /// The function's name.
    pub fn name(&self) -> &FunctionName {
        &self.name
    }

    /// The export that is named, if one is.
    pub fn export(&self) -> Option<&str> {
        self.export.as_deref()
    }

    /// The version that is wanted.
    pub fn version(&self) -> &VersionRef {
        &self.version
    }

    /// The same function and export in another version.
    #[must_use]
    pub fn with_version(self, version: VersionRef) -> Self {
        Self { version, ..self }
    }
}

impl From<FunctionName> for FunctionRef {
    fn from(name: FunctionName) -> Self {
        Self { name, export: None, version: VersionRef::Latest }
    }
}

fn is_name(text: &str) -> bool {
    let letter = |byte: &u8| byte.is_ascii_lowercase();
    (1..=63).contains(&text.len())
        && text.as_bytes().first().is_some_and(letter)
        && text.bytes().all(|byte| letter(&byte) || byte.is_ascii_digit() || byte == b'-')
}

/// At most this much of a bad name is repeated in an error: the name may be a hostile megabyte.
const QUOTED: usize = 80;

fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

impl FromStr for FunctionName {
    type Err = InvalidFunctionRef;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionRef> {
        if is_name(text) { Ok(Self(text.into())) } else { Err(InvalidFunctionRef::Name(quote(text))) }
    }
}

impl FromStr for AliasName {
    type Err = InvalidFunctionRef;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionRef> {
        match text {
            "latest" => Err(InvalidFunctionRef::Latest),
            text if is_name(text) => Ok(Self(text.into())),
            text => Err(InvalidFunctionRef::Alias(quote(text))),
        }
    }
}

impl FromStr for VersionRef {
    type Err = InvalidFunctionRef;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionRef> {
        let invalid = || InvalidFunctionRef::Version(quote(text));
        match text.as_bytes().first() {
            _ if text == "latest" => Ok(Self::Latest),
            _ if text.starts_with("sha256:") => text.parse().map(Self::Digest).map_err(|_| invalid()),
            // `str::parse` would take "+3" and "03" too, and then printing would not give the text back.
            Some(b'1'..=b'9') => text.parse().map(Self::Number).map_err(|_| invalid()),
            _ => text.parse().map(Self::Alias).map_err(|_| invalid()),
        }
    }
}

impl FromStr for FunctionRef {
    type Err = InvalidFunctionRef;

    fn from_str(text: &str) -> Result<Self, InvalidFunctionRef> {
        let (function, version) =
            text.split_once('@').map_or((text, "latest"), |(function, version)| (function, version));
        let (name, export) = function.split_once(':').map_or((function, None), |(name, export)| (name, Some(export)));
        let name = name.parse()?;
        if export == Some("") {
            return Err(InvalidFunctionRef::Export(quote(text)));
        }
        Ok(Self { name, export: export.map(Arc::from), version: version.parse()? })
    }
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Number(number) => number.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl fmt::Display for FunctionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)?;
        if let Some(export) = &self.export {
            write!(f, ":{export}")?;
        }
        if self.version == VersionRef::Latest { Ok(()) } else { write!(f, "@{}", self.version) }
    }
}

impl TryFrom<String> for FunctionName {
    type Error = InvalidFunctionRef;

    fn try_from(text: String) -> Result<Self, InvalidFunctionRef> {
        text.parse()
    }
}

impl TryFrom<String> for AliasName {
    type Error = InvalidFunctionRef;

    fn try_from(text: String) -> Result<Self, InvalidFunctionRef> {
        text.parse()
    }
}

impl TryFrom<String> for FunctionRef {
    type Error = InvalidFunctionRef;

    fn try_from(text: String) -> Result<Self, InvalidFunctionRef> {
        text.parse()
    }
}

impl From<FunctionRef> for String {
    fn from(function: FunctionRef) -> Self {
        function.to_string()
    }
}

macro_rules! text_newtype {
    ($($name:ident),*) => {$(
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
    )*};
}

text_newtype!(FunctionName, AliasName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reference() -> impl Strategy<Value = String> {
        let name = "[a-z][a-z0-9-]{0,62}";
        let version = prop_oneof!["[1-9][0-9]{0,18}", "[a-z][a-z0-9-]{0,62}", "sha256:[0-9a-f]{64}"]
            .prop_filter("latest is not printed", |version| version != "latest");
        (name, proptest::option::of("[^@]{1,40}"), proptest::option::of(version)).prop_map(|(name, export, version)| {
            let export = export.map(|export| format!(":{export}")).unwrap_or_default();
            let version = version.map(|version| format!("@{version}")).unwrap_or_default();
            format!("{name}{export}{version}")
        })
    }

    proptest! {
        #[test]
        fn prints_what_it_parsed(text in reference()) {
            prop_assert_eq!(text.parse::<FunctionRef>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_parses_or_is_refused_without_a_panic(text in ".{0,100}") {
            if let Ok(function) = text.parse::<FunctionRef>() {
                prop_assert_eq!(function.to_string().parse::<FunctionRef>().unwrap(), function);
            }
        }
    }

    #[test]
    fn refuses_what_is_not_a_reference_and_says_why() {
        let long = "a".repeat(64);
        let cases = [
            ("", "invalid function name \"\""),
            ("Treats", "invalid function name \"Treats\""),
            ("1treats", "invalid function name \"1treats\""),
            ("treats/10", "invalid function name \"treats/10\""),
            (long.as_str(), "invalid function name"),
            ("calc:", "the export after ':' is empty"),
            ("treats@", "invalid version \"\""),
            ("treats@0", "invalid version \"0\""),
            ("treats@03", "invalid version \"03\""),
            ("treats@99999999999999999999", "invalid version"),
            ("treats@sha256:ab", "invalid version \"sha256:ab\""),
        ];
        for (text, expected) in cases {
            let error = text.parse::<FunctionRef>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_hostile_name_is_not_repeated_whole() {
        let error = "é".repeat(1_000_000).parse::<FunctionName>().unwrap_err();
        assert!(error.to_string().len() < 400);
    }
}
