//! The rights of a token.

use std::{fmt, str::FromStr};

use nebula_runtime::{FunctionName, nearest};
use serde::{Deserialize, Serialize};

/// A thing that a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// To list functions, and to look at their versions, aliases, history and last invocations. A configuration may have
    /// secrets, and so may what a guest logs.
    Read,
    /// To publish versions.
    Publish,
    /// To move, remove and roll back aliases.
    Alias,
    /// To remove versions and functions.
    Remove,
    /// To read and write what functions keep in services, and to publish functions that are granted a service.
    Data,
}

/// A text that names no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown right {text:?}{hint}: expected read, publish, alias, remove or data")]
pub struct InvalidRight {
    text: String,
    hint: String,
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 5] = [Self::Read, Self::Publish, Self::Alias, Self::Remove, Self::Data];

    /// The right's name: `publish`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Publish => "publish",
            Self::Alias => "alias",
            Self::Remove => "remove",
            Self::Data => "data",
        }
    }
}

impl FromStr for Right {
    type Err = InvalidRight;

    fn from_str(text: &str) -> Result<Self, InvalidRight> {
        Self::ALL.into_iter().find(|right| right.as_str() == text).ok_or_else(|| {
            let meant = nearest(text, Self::ALL.iter().map(|right| right.as_str()));
            let hint = meant.map(|meant| format!(", did you mean {meant}?")).unwrap_or_default();
            InvalidRight { text: text.chars().take(40).collect(), hint }
        })
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The functions that a token is for: one name, or all names with a beginning (`shop-*`).
///
/// - A `*` is only at the end. `*` alone means every function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FunctionPattern(String);

/// A text that is no [`FunctionPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid functions {0:?}: expected a name such as shop, or the beginning of names and a * such as shop-*")]
pub struct InvalidPattern(String);

impl FunctionPattern {
    /// Whether every function is one of those.
    pub fn includes_all(&self) -> bool {
        self.0 == "*"
    }

    /// Whether the function is one of those.
    pub fn includes(&self, function: &FunctionName) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => function.as_str().starts_with(beginning),
            None => function.as_str() == self.0,
        }
    }
}

impl FromStr for FunctionPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let beginning = text.strip_suffix('*').unwrap_or(text);
        // The beginning of a name is a name itself.
        let is_fine = beginning.parse::<FunctionName>().is_ok() || text == "*";
        if is_fine { Ok(Self(text.to_owned())) } else { Err(InvalidPattern(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for FunctionPattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl From<FunctionPattern> for String {
    fn from(pattern: FunctionPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for FunctionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_the_beginning_of_names() {
        let cases = [
            ("shop", "shop", true),
            ("shop", "shop-cart", false),
            ("shop-*", "shop-cart", true),
            ("shop-*", "shop-", true),
            ("shop-*", "shop", false),
            ("shop-*", "a-shop-cart", false),
            ("*", "anything", true),
        ];
        for (pattern, function, expected) in cases {
            let (pattern, function): (FunctionPattern, _) = (pattern.parse().unwrap(), function.parse().unwrap());
            assert_eq!(pattern.includes(&function), expected, "{pattern} {function}");
        }
        for text in ["", "Shop", "*-shop", "sh*p", "shop-**", "9*"] {
            assert!(text.parse::<FunctionPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_right_is_an_error_that_suggests_one() {
        for right in Right::ALL {
            assert_eq!(right.as_str().parse(), Ok(right));
            assert_eq!(serde_json::to_value(right).unwrap(), right.as_str());
        }
        let error = "publishes".parse::<Right>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown right \"publishes\", did you mean publish?: expected read, publish, alias, remove or data"
        );
    }
}
