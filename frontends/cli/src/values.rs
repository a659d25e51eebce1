//! The values of options and of keys in `nebula.toml`, and how they are written.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt as _,
    str::FromStr,
    time::Duration,
};

use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParser, ValueParserFactory};
use http::HeaderValue;
use ignore::gitignore::GitignoreBuilder;
use nebula_runtime::{ByteSize, DirGrant};
use serde::{
    Deserialize, Deserializer,
    de::{self, Unexpected, Visitor},
};

/// A text that is not the expected value. It displays what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub(crate) struct Invalid(&'static str);

/// A value that is written as a text.
pub(crate) trait TextValue: FromStr<Err = Invalid> {
    /// What the text has to look like.
    const EXPECTED: &'static str;

    /// The value of a bare number, if a number is allowed.
    fn of_number(_: u64) -> Option<Self> {
        None
    }
}

/// A duration above zero: `2s`, `1m 30s`, `500ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) Duration);

/// A time to look back, which may be zero: `90d`, `24h`, `0s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Duration);

/// A size in bytes, above zero: `64MiB`, `1.5GB`, `65536`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) ByteSize);

/// A whole number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u32);

/// How often something may happen: `100/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) nebula_runtime::Rate);

/// A media type: `text/csv; charset=utf-8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaType(pub(crate) String);

/// A command for the shell, never blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShellCommand(pub(crate) String);

/// A pattern of files, as in a line of `.gitignore`: never blank, and no comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePattern(pub(crate) String);

/// The name of an environment variable: not empty, without `=`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VariableName(pub(crate) String);

/// An environment variable: `K=V`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable(pub(crate) VariableName, pub(crate) String);

/// A folder of the host, and its path for the guest: `HOST::GUEST`, or `HOST::GUEST:rw`. The host's path stays as it
/// was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dir(pub(crate) DirGrant);

impl TextValue for Timeout {
    const EXPECTED: &'static str = "a duration above zero such as \"2s\", \"500ms\" or \"1m 30s\"";
}

impl FromStr for Timeout {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let duration = humantime::parse_duration(text).ok().filter(|duration| !duration.is_zero());
        duration.map(Self).ok_or(Invalid(Self::EXPECTED))
    }
}

impl FromStr for Age {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const EXPECTED: Invalid = Invalid("a time such as \"90d\", \"24h\" or \"0s\"");
        humantime::parse_duration(text).map(Self).map_err(|_| EXPECTED)
    }
}

impl TextValue for Size {
    const EXPECTED: &'static str = "a size above zero such as \"64MiB\", \"10kB\" or 65536";

    fn of_number(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(ByteSize(number)))
    }
}

impl FromStr for Size {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse::<ByteSize>().ok().and_then(|size| Self::of_number(size.as_u64())).ok_or(Invalid(Self::EXPECTED))
    }
}

impl TextValue for Count {
    const EXPECTED: &'static str = "a whole number from 1";

    fn of_number(number: u64) -> Option<Self> {
        u32::try_from(number).ok().filter(|number| *number > 0).map(Self)
    }
}

impl FromStr for Count {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().ok().and_then(Self::of_number).ok_or(Invalid(Self::EXPECTED))
    }
}

impl TextValue for Rate {
    const EXPECTED: &'static str = "a rate such as \"100/s\", \"600/min\" or \"10000/h\"";
}

impl FromStr for Rate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse().map(Self).map_err(|_| Invalid(Self::EXPECTED))
    }
}

impl TextValue for MediaType {
    const EXPECTED: &'static str = "a media type such as \"text/csv\"";
}

impl FromStr for MediaType {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let valid = text.contains('/') && HeaderValue::from_str(text).is_ok();
        if valid { Ok(Self(text.to_owned())) } else { Err(Invalid(Self::EXPECTED)) }
    }
}

impl TextValue for ShellCommand {
    const EXPECTED: &'static str = "a command such as \"cargo build --release\"";
}

impl FromStr for ShellCommand {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let valid = !text.trim().is_empty() && !text.contains('\0');
        if valid { Ok(Self(text.to_owned())) } else { Err(Invalid(Self::EXPECTED)) }
    }
}

impl TextValue for FilePattern {
    const EXPECTED: &'static str = "a pattern as in .gitignore, such as \"/notes/\" or \"*.log\"";
}

impl FromStr for FilePattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut patterns = GitignoreBuilder::new("");
        let added = patterns.add_line(None, text).is_ok();
        let valid = text != "!" && added && patterns.build().is_ok_and(|patterns| !patterns.is_empty());
        if valid { Ok(Self(text.to_owned())) } else { Err(Invalid(Self::EXPECTED)) }
    }
}

impl TextValue for VariableName {
    const EXPECTED: &'static str = "a variable's name, not empty and without \"=\"";
}

impl FromStr for VariableName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let valid = !text.is_empty() && !text.contains(['=', '\0']);
        if valid { Ok(Self(text.to_owned())) } else { Err(Invalid(Self::EXPECTED)) }
    }
}

impl FromStr for Variable {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        const EXPECTED: Invalid = Invalid("a variable such as LANG=en");
        let (name, value) = text.split_once('=').ok_or(EXPECTED)?;
        Ok(Self(name.parse().map_err(|_| EXPECTED)?, value.to_owned()))
    }
}

impl Dir {
    /// Parses an argument. The host's path need not be UTF-8.
    fn of_argument(text: &OsStr) -> Result<Self, Invalid> {
        const EXPECTED: Invalid = Invalid("HOST::GUEST or HOST::GUEST:rw, such as ./data::/data");
        let text = text.as_bytes();
        let end = text.windows(2).position(|pair| pair == b"::").ok_or(EXPECTED)?;
        let (host, rest) = text.split_at_checked(end).ok_or(EXPECTED)?;
        let guest = rest.strip_prefix(b"::").and_then(|guest| std::str::from_utf8(guest).ok()).ok_or(EXPECTED)?;
        let (guest, writable) = guest.strip_suffix(":rw").map_or((guest, false), |guest| (guest, true));
        if host.is_empty() || guest.is_empty() {
            return Err(EXPECTED);
        }
        let grant = DirGrant::new(OsStr::from_bytes(host), guest);
        Ok(Self(if writable { grant.writable() } else { grant }))
    }
}

impl ValueParserFactory for Dir {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        ValueParser::new(OsStringValueParser::new().try_map(|text: OsString| Self::of_argument(&text)))
    }
}

macro_rules! deserialize_written {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(TextValueVisitor(std::marker::PhantomData))
            }
        }
    )*};
}

deserialize_written!(Timeout, Size, Count, Rate, MediaType, ShellCommand, FilePattern, VariableName);

struct TextValueVisitor<T>(std::marker::PhantomData<T>);

impl<T: TextValue> Visitor<'_> for TextValueVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let value = u64::try_from(number).ok().and_then(T::of_number);
        value.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::of_number(number).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_value_is_parsed() {
        assert_eq!("1m 30s".parse(), Ok(Timeout(Duration::from_secs(90))));
        assert_eq!("64MiB".parse(), Ok(Size(ByteSize::mib(64))));
        assert_eq!("65536".parse(), Ok(Size(ByteSize::kib(64))));
        assert_eq!("A=b=c".parse(), Ok(Variable(VariableName("A".into()), "b=c".into())));
        let dir = DirGrant::new("./a:b", "/data");
        assert_eq!(Dir::of_argument("./a:b::/data".as_ref()), Ok(Dir(dir.clone())));
        assert_eq!(Dir::of_argument("./a:b::/data:rw".as_ref()), Ok(Dir(dir.writable())));
        let odd = Dir(DirGrant::new(OsStr::from_bytes(b"od\xff"), "/d"));
        assert_eq!(Dir::of_argument(OsStr::from_bytes(b"od\xff::/d")), Ok(odd));
    }

    #[test]
    fn the_error_for_a_wrong_value_says_what_was_expected() {
        fn refused<T: FromStr<Err = Invalid>>(text: &str) -> String {
            text.parse::<T>().err().unwrap().to_string()
        }
        for text in ["", "2", "0s", "-1s", "2 parsecs", "soon"] {
            assert!(refused::<Timeout>(text).starts_with("expected a duration above zero such as"), "{text}");
        }
        assert_eq!("0s".parse(), Ok(Age(Duration::ZERO)));
        for text in ["", "90", "-1d", "soon"] {
            assert!(refused::<Age>(text).starts_with("expected a time such as"), "{text}");
        }
        for text in ["", "0", "-1", "lots", "64 XiB"] {
            assert!(refused::<Size>(text).starts_with("expected a size above zero such as"), "{text}");
        }
        for text in ["", "A", "=b"] {
            assert_eq!(refused::<Variable>(text), "expected a variable such as LANG=en", "{text}");
        }
        for text in ["", "/data", "/data:/data", "::/data", "data::", "data:::rw"] {
            let refused = Dir::of_argument(text.as_ref()).unwrap_err().to_string();
            assert!(refused.starts_with("expected HOST::GUEST"), "{text}");
        }
        for text in ["", "json", "text/\n"] {
            assert!(refused::<MediaType>(text).starts_with("expected a media type"), "{text}");
        }
        for text in ["", " ", "# notes", "[b-a]", "!"] {
            assert!(refused::<FilePattern>(text).starts_with("expected a pattern as in .gitignore"), "{text}");
        }
    }
}
