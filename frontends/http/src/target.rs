//! The function and the arguments in a request's path.

use std::{borrow::Cow, str::Utf8Error};

use http::Uri;
use nebula_runtime::{ErrorKind, FunctionRef, InvokeError};
use percent_encoding::percent_decode_str;

use crate::paths::behind_first;

/// The prefix of the paths of functions.
const PREFIX: &str = "/api/";

/// `/api/{function}/{*input}?{query}`, read from the raw path.
///
/// Axum's extractors decode a path before they split it, so that an argument could not contain a `/`. Here the path is
/// split first, and each part is decoded afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    /// `/api/{function}`.
    mount: &'a str,
    function: &'a str,
    /// `/{*input}`, or nothing.
    input: &'a str,
}

impl<'a> Target<'a> {
    /// The target of a request to `uri`; `None` if the path is not below [`PREFIX`].
    pub(crate) fn of(uri: &'a Uri) -> Option<Self> {
        let path = uri.path();
        // Most paths are not encoded.
        let encoded = || behind_first(path, "api")?.strip_prefix('/');
        let behind = path.strip_prefix(PREFIX).or_else(encoded)?;
        let function = behind.split_once('/').map_or(behind, |(function, _)| function);
        let (mount, input) = path.split_at_checked(path.len() - behind.len() + function.len())?;
        Some(Self { mount, function, input })
    }

    /// The target of a request that matches a route, which takes the first `mount` bytes of the path.
    pub(crate) fn below(uri: &'a Uri, mount: usize) -> Option<Self> {
        let (mount, input) = uri.path().split_at_checked(mount)?;
        Some(Self { mount, function: "", input })
    }

    /// The path up to the end of the function's name: CGI calls it `SCRIPT_NAME`.
    pub(crate) fn mount(&self) -> &'a str {
        self.mount
    }

    /// The function that is called.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the name cannot be one of a function.
    pub(crate) fn function(&self) -> Result<FunctionRef, InvokeError> {
        let name = decode(self.function).map_err(|error| undecodable("the function's name", error))?;
        name.parse().map_err(|error| InvokeError::new(ErrorKind::NotFound, format!("{error}")))
    }

    /// The arguments after the function's name. A slash at the end does not add one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if an argument is not UTF-8 after decoding.
    pub(crate) fn arguments(&self) -> Result<Vec<String>, InvokeError> {
        let Some(input) = self.input.strip_prefix('/').filter(|input| !input.is_empty()) else {
            return Ok(Vec::new());
        };
        let parts = input.strip_suffix('/').unwrap_or(input).split('/').enumerate();
        let argument = |(index, part)| {
            decode(part)
                .map(Cow::into_owned)
                .map_err(|error| undecodable(&format!("argument {} of the path", index + 1), error))
        };
        parts.map(argument).collect()
    }
}

fn decode(part: &str) -> Result<Cow<'_, str>, Utf8Error> {
    // Most parts are not encoded at all.
    if part.bytes().any(|byte| byte == b'%') { percent_decode_str(part).decode_utf8() } else { Ok(Cow::Borrowed(part)) }
}

fn undecodable(subject: &str, error: Utf8Error) -> InvokeError {
    InvokeError::new(ErrorKind::InvalidInput, format!("{subject} is not UTF-8")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mount, the function and the arguments of a path.
    fn read(uri: &str) -> Option<(String, String, Vec<String>)> {
        let uri = uri.parse::<Uri>().unwrap();
        let target = Target::of(&uri)?;
        let function = target.function().unwrap().to_string();
        Some((target.mount().to_owned(), function, target.arguments().unwrap()))
    }

    #[test]
    fn a_path_is_split_first_and_decoded_afterwards() {
        let cases: [(&str, &str, &str, &[&str]); 15] = [
            ("/api/f", "/api/f", "f", &[]),
            ("/api/f/", "/api/f", "f", &[]),
            ("/api/f?x=1/2", "/api/f", "f", &[]),
            ("/api/f/?x=1", "/api/f", "f", &[]),
            ("/api/f/10", "/api/f", "f", &["10"]),
            ("/api/f/10/", "/api/f", "f", &["10"]),
            ("/api/f/a/b?x=/api/g/", "/api/f", "f", &["a", "b"]),
            ("/api/f//", "/api/f", "f", &[""]),
            ("/api/f//b", "/api/f", "f", &["", "b"]),
            ("/api/f/a%2Fb/c", "/api/f", "f", &["a/b", "c"]),
            ("/api/f/%E2%82%AC+%zz%20", "/api/f", "f", &["€+%zz "]),
            ("/api/calc:add@prod/1", "/api/calc:add@prod", "calc:add@prod", &["1"]),
            ("/api/calc%3Aadd%403/1", "/api/calc%3Aadd%403", "calc:add@3", &["1"]),
            ("http://host:1/api/f/1", "/api/f", "f", &["1"]),
            ("/%61p%69/f/1", "/%61p%69/f", "f", &["1"]),
        ];
        for (path, mount, function, arguments) in cases {
            let arguments = arguments.iter().copied().map(str::to_owned).collect();
            assert_eq!(read(path), Some((mount.to_owned(), function.to_owned(), arguments)), "{path}");
        }
    }

    #[test]
    fn other_paths_are_no_targets() {
        assert_eq!(["/", "/api", "/apis/f", "/x/api/f"].map(read), [const { None }; 4]);
    }

    #[test]
    fn invalid_names_and_encodings_are_refused() {
        let refusal = |path: &str| {
            let uri = path.parse().unwrap();
            let target = Target::of(&uri).unwrap();
            let error = target.function().map(|_| ()).and_then(|()| target.arguments().map(|_| ())).unwrap_err();
            (error.kind(), error.to_string())
        };
        let name = "invalid function name \"F\": expected 1 to 63 of a-z, 0-9 and -, starting with a letter";
        let cases = [
            ("/api/F", ErrorKind::NotFound, name),
            ("/api/f%FF", ErrorKind::InvalidInput, "the function's name is not UTF-8"),
            ("/api/f/1/%C3", ErrorKind::InvalidInput, "argument 2 of the path is not UTF-8"),
        ];
        for (path, kind, detail) in cases {
            assert_eq!(refusal(path), (kind, detail.to_owned()));
        }
    }
}
