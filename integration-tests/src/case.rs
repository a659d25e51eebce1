//! One call of a function, and what comes of it.

use std::{borrow::Cow, collections::BTreeMap};

use nebula_runtime::ErrorKind;
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    content::{Content, Picture},
    frontend::Frontend,
    payload::Payload,
};

/// One call of a function, and what comes of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, as a sentence about the guest.
    pub name: String,
    /// The function, where it is not the one that is named like the guest: `calc:mul`, `echo@1`.
    pub function: Option<String>,
    /// The frontends to run it through, where those are not all that can make such a call.
    pub frontends: Option<Vec<Frontend>>,
    /// Arguments: of a path, of a command line.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The body, or all of stdin.
    pub body: Option<Payload>,
    /// What only an HTTP request has.
    pub request: Option<Request>,
    /// What comes of it.
    pub expect: Expect,
}

/// What only an HTTP request has. A case with a request is one for HTTP.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// GET without a body and POST with one, if nothing else is said.
    pub method: Option<String>,
    /// The path behind the function's name, as it goes over the wire, instead of arguments.
    pub path: Option<String>,
    /// What follows the path's `?`.
    pub query: Option<String>,
    /// Header fields.
    pub headers: BTreeMap<String, String>,
    /// Send the body in chunks, without saying before how long it is.
    pub chunked: bool,
}

/// What comes of a call: a result as one of `json`, `text`, `hex`, `png` and `same`, or an error. All of it is compared
/// as a whole.
///
/// What a report says follows from the call where the case does not say it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// A JSON text, whose white space between tokens is of no account. `{invocation_id}` and `{address}` stand for what
    /// the server chose.
    pub json: Option<String>,
    /// A text.
    pub text: Option<String>,
    /// Bytes.
    pub hex: Option<String>,
    /// A picture.
    pub png: Option<Picture>,
    /// The body that was sent.
    pub same: bool,
    /// The media type, where it is not that of `json` (`application/json`), of `text` (`text/plain; charset=utf-8`), or
    /// of anything else (`application/octet-stream`). Empty where there is none.
    pub media_type: Option<String>,
    /// The HTTP status, where it is neither 200 nor the one of the failure's kind.
    pub status: Option<u16>,
    /// All header fields that the guest sets beside its media type; the values of one that is there more than once are
    /// joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// The failure's kind.
    pub error: Option<ErrorKind>,
    /// What is said about the failure.
    pub detail: Option<String>,
    /// The guest's exit code.
    pub exit_code: Option<i32>,
    /// What the guest wrote before it failed: seen where its output is passed on while it runs. Of a response that
    /// breaks off, all that it would have been.
    pub written: Option<Payload>,
    /// The guest fails after more than is held back for a failure: its response begins and breaks off.
    pub breaks_off: bool,
    /// A part of what the guest writes to stderr.
    pub stderr: Option<String>,
    /// The call names nothing that is there, so that its report has no version, digest and kind.
    pub unresolved: bool,
    /// The version that answers, where it is not the first.
    pub version: Option<u64>,
    /// How many bytes the guest was given, where it is not all of the call.
    pub bytes_in: Option<u64>,
    /// How many bytes the guest gave, where it is not just the result.
    pub bytes_out: Option<u64>,
    /// How much memory the guest held in the end, where that is known.
    pub peak_memory: Option<u64>,
}

impl Case {
    /// The function that is called, of the guest `guest`.
    pub fn function<'a>(&'a self, guest: &'a str) -> &'a str {
        self.function.as_deref().unwrap_or(guest)
    }

    /// The case's name as a part of a test's.
    pub fn test_name(&self) -> String {
        let letter = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
        self.name.chars().map(letter).collect()
    }

    /// The body's bytes; none where there is no body.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        self.body.as_ref().map_or(Cow::Borrowed(&[]), Payload::bytes)
    }

    /// The body, if it is a JSON text in one line, and not a long one.
    pub fn json_line(&self) -> Option<String> {
        const LONG: usize = 1 << 16;
        self.body.as_ref().filter(|body| body.size() < LONG)?;
        let text = String::from_utf8(self.bytes().into_owned()).ok()?;
        let is_line = !text.trim().contains(['\n', '\r']) && serde_json::from_str::<IgnoredAny>(&text).is_ok();
        is_line.then_some(text)
    }
}

impl Expect {
    /// The result that is expected of the call `case`; of a failure, what came before it.
    pub fn content(&self, case: &Case) -> Content {
        let octets = |payload: &Payload| Content::of_bytes(&payload.bytes());
        match self {
            Self { breaks_off: true, written: Some(written), .. } => Content::BeginningOf(written.bytes().into_owned()),
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

    /// The media type that is expected of a result.
    pub fn media_type(&self) -> &str {
        match self {
            Self { media_type: Some(media_type), .. } => media_type,
            Self { json: Some(_), .. } => "application/json",
            Self { text: Some(_), .. } => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}
