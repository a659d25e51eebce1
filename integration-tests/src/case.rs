//! One call of a function and its expected result.

use std::{borrow::Cow, collections::BTreeMap};

use nebula_runtime::ErrorKind;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    content::{Content, Picture},
    frontend::Frontend,
    observed::ServiceOperations,
    payload::Payload,
};

/// One call of a function and its expected result.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows: a sentence whose subject is the guest.
    pub name: String,
    /// The function to call, such as `calc:mul` or `echo@1`. The default is the function with the guest's name.
    pub function: Option<String>,
    /// The frontends to run the case through. The default is every frontend that can make the call.
    pub frontends: Option<Vec<Frontend>>,
    /// The arguments: path segments over HTTP, words on a command line.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The body of a request, or all of stdin.
    pub body: Option<Payload>,
    /// The parts of the call that only an HTTP request has.
    pub request: Option<Request>,
    /// The expected result.
    pub expect: Expect,
}

/// The parts of a call that only an HTTP request has. A case with a request runs only through HTTP frontends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The method. The default is GET without a body, and POST with one.
    pub method: Option<String>,
    /// The path after the function's name, exactly as it is sent. It replaces the arguments.
    pub path: Option<String>,
    /// The query, without the `?`.
    pub query: Option<String>,
    /// The header fields.
    pub headers: BTreeMap<String, String>,
    /// Whether the body is sent in chunks, without a `content-length`.
    pub chunked: bool,
}

/// The expected outcome of a call: either an error, or a result given as one of `json`, `text`, `hex`, `png` and
/// `same`. A test compares all of it.
///
/// Values of the report that a case does not give are derived from the call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// A JSON text. White space between tokens is ignored. `{invocation_id}` and `{address}` stand for the values that
    /// the server chose.
    pub json: Option<String>,
    /// A text.
    pub text: Option<String>,
    /// Bytes.
    pub hex: Option<String>,
    /// A picture.
    pub png: Option<Picture>,
    /// Whether the result is the body that was sent.
    pub same: bool,
    /// The media type. The default is `application/json` for `json`, `text/plain; charset=utf-8` for `text`, and
    /// `application/octet-stream` for the others. Empty if the response has none.
    pub media_type: Option<String>,
    /// The HTTP status. The default is the status of the error's kind, or 200 if there is no error.
    pub status: Option<u16>,
    /// All header fields that the guest sets, except the media type. The values of a repeated field are joined by
    /// `, `.
    pub headers: BTreeMap<String, String>,
    /// The error's kind.
    pub error: Option<ErrorKind>,
    /// The error's message.
    pub detail: Option<String>,
    /// The guest's exit code.
    pub exit_code: Option<i32>,
    /// The guest's output before it failed. Only frontends that pass output on while the guest runs show it. For a
    /// response that breaks off, this is the complete output.
    pub written: Option<Payload>,
    /// Whether the response begins and then breaks off: the guest writes more than Nebula holds back, and then fails.
    pub breaks_off: bool,
    /// A part of the guest's stderr.
    pub stderr: Option<String>,
    /// Whether the function does not exist. Its report then has no version, digest or kind.
    pub unresolved: bool,
    /// The version that is called. The default is 1.
    pub version: Option<u64>,
    /// The number of bytes that the guest received. The default is the size of the whole event.
    pub bytes_in: Option<u64>,
    /// The number of bytes that the guest wrote. The default is the size of the result.
    pub bytes_out: Option<u64>,
    /// The most memory that the guest held, if the case knows it.
    pub peak_memory: Option<u64>,
    /// What the guest used of services, if the case knows it.
    pub services: Option<Vec<ServiceOperations>>,
    /// The beginnings of frames of the guest's stack, the innermost first, if the case knows them. Others may be
    /// between them.
    pub stack: Option<Vec<String>>,
}

impl Case {
    /// The reference of the function to call. `guest` is the name of the guest.
    pub fn function<'a>(&'a self, guest: &'a str) -> &'a str {
        self.function.as_deref().unwrap_or(guest)
    }

    /// The case's name, written as part of a test's name.
    pub fn test_name(&self) -> String {
        let letter = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
        self.name.chars().map(letter).collect()
    }

    /// The body's bytes. Empty if there is no body.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        self.body.as_ref().map_or(Cow::Borrowed(&[]), Payload::bytes)
    }

    /// The body, if it is a short JSON text on one line.
    pub fn json_line(&self) -> Option<String> {
        const LONG: usize = 1 << 16;
        self.body.as_ref().filter(|body| body.size() < LONG)?;
        let text = String::from_utf8(self.bytes().into_owned()).ok()?;
        let is_line = !text.trim().contains(['\n', '\r']) && serde_json::from_str::<IgnoredAny>(&text).is_ok();
        is_line.then_some(text)
    }
}

impl Expect {
    /// The expected result of `case`. If the call fails, the output before the failure.
    pub fn content(&self, case: &Case) -> Content {
        let octets = |payload: &Payload| Content::of_bytes(&payload.bytes());
        match self {
            Self { breaks_off: true, written: Some(written), .. } => Content::PrefixOf(written.bytes().into_owned()),
            Self { json: Some(json), .. } => Content::of_json(json),
            Self { text: Some(text), .. } => Content::Text(text.clone()),
            Self { hex: Some(hex), .. } => octets(&Payload::Hex { hex: hex.clone() }),
            Self { png: Some(picture), .. } => Content::Png(picture.clone()),
            Self { same: true, .. } if self.media_type() == "application/json" => {
                Content::of_json(str::from_utf8(&case.bytes()).unwrap())
            }
            Self { same: true, .. } => Content::of_bytes(&case.bytes()),
            Self { error: Some(_), written, .. } => written.as_ref().map_or(Content::EMPTY, octets),
            _ => panic!("{:?} expects neither a result nor an error", case.name),
        }
    }

    /// The expected media type of the result.
    pub fn media_type(&self) -> &str {
        match self {
            Self { media_type: Some(media_type), .. } => media_type,
            Self { json: Some(_), .. } => "application/json",
            Self { text: Some(_), .. } => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}
