//! CloudEvents in the structured mode (CloudEvents 1.0, JSON event format and HTTP protocol binding): the guest gets the
//! event's data, as if the event had come in the binary mode.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::value::RawValue;

use super::coding::decoded_body;
use crate::{
    call::{Body, ErrorKind, Event, Input, InvokeError},
    function::without_byte_order_mark,
};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// The characters of an attribute that a header field cannot have as they are (HTTP binding, section 3.1.3.2).
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');

/// Whether the event's media type says that its body is a CloudEvent, or a batch of these.
pub(super) fn is_structured(event: &Event) -> bool {
    let (media_type, is_empty) = match event.input() {
        Input::Http(request) => (request.headers().get(CONTENT_TYPE), request.body().is_known_empty()),
        Input::Payload { body, media_type, .. } => (media_type.as_ref(), body.is_known_empty()),
    };
    !is_empty && [STRUCTURED, BATCH].iter().any(|known| has_type(media_type, known))
}

/// Whether a media type is this one, whatever its parameters.
fn has_type(media_type: Option<&HeaderValue>, known: &str) -> bool {
    let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(known))
}

/// Puts the data of a CloudEvent in the place of the event's body. If the event is a request, the attributes become its
/// `ce-*` fields.
///
/// # Errors
/// - [`ErrorKind::InvalidInput`] if the body is not a CloudEvent;
/// - as [`decoded_body`] otherwise.
pub(super) async fn unwrap(event: &mut Event, limit: u64) -> Result<(), InvokeError> {
    match event.replace_input(Input::default()) {
        Input::Http(request) => {
            let (mut head, body) = (*request).into_parts();
            let mut encoded = http::Request::new(body);
            *encoded.headers_mut() = head.headers.clone();
            let CloudEvent { attributes, data, media_type } =
                read(head.headers.get(CONTENT_TYPE), decoded_body(Input::Http(Box::new(encoded)), limit).await?)?;
            describe(&mut head.headers, attributes, media_type, data.len())?;
            event.replace_input(Input::Http(Box::new(http::Request::from_parts(head, Body::from(data)))));
        }
        Input::Payload { body, media_type, fields } => {
            let body = body.limited(limit).collect(u64::MAX).await?;
            let CloudEvent { data, media_type, .. } = read(media_type.as_ref(), body)?;
            event.replace_input(Input::Payload { body: data.into(), media_type, fields });
        }
    }
    Ok(())
}

/// A CloudEvent, as its guest gets it.
#[derive(Debug, PartialEq, Eq)]
struct CloudEvent {
    /// All attributes but those that say how the data is written.
    attributes: BTreeMap<String, String>,
    data: Bytes,
    /// None if there is no data.
    media_type: Option<HeaderValue>,
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

fn read(media_type: Option<&HeaderValue>, body: Bytes) -> Result<CloudEvent, InvokeError> {
    if has_type(media_type, BATCH) {
        let detail = format!("the body is a batch of CloudEvents; send each by itself, as {STRUCTURED}");
        return Err(InvokeError::new(ErrorKind::InvalidInput, detail));
    }
    parse(without_byte_order_mark(&body)).map_err(|why| {
        InvokeError::new(
            ErrorKind::InvalidInput,
            format!("the body is not a CloudEvent, which its media type says: {why}"),
        )
    })
}

/// JSON event format, sections 2 and 3.
fn parse(body: &[u8]) -> Result<CloudEvent, String> {
    let mut members: Members<'_> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    members.retain(|_, value| value.get() != "null");
    let written_as = members.remove("datacontenttype").map(|value| text("datacontenttype", value)).transpose()?;
    let (data, encoded) = (members.remove("data"), members.remove("data_base64"));
    let attributes = members.into_iter().map(attribute).collect::<Result<BTreeMap<_, _>, _>>()?;
    for required in ["id", "source", "specversion", "type"] {
        if attributes.get(required).is_none_or(String::is_empty) {
            return Err(format!("its attribute {required} is missing or empty"));
        }
    }
    match attributes.get("specversion").map(String::as_str) {
        Some("1.0") => {}
        other => return Err(format!("its specversion is {:?}, expected \"1.0\"", other.unwrap_or_default())),
    }
    let is_json = written_as.as_deref().is_none_or(is_json);
    let data = match (data, encoded) {
        (Some(_), Some(_)) => return Err("it has both data and data_base64".to_owned()),
        (None, None) => return Ok(CloudEvent { attributes, data: Bytes::new(), media_type: None }),
        (Some(data), None) if is_json => data.get().to_owned().into_bytes(),
        (Some(data), None) => text("data", data)
            .map_err(|_| format!("its data is not a string, as {} is", written_as.as_deref().unwrap_or_default()))?
            .into_bytes(),
        (None, Some(encoded)) => STANDARD
            .decode(text("data_base64", encoded)?)
            .map_err(|error| format!("its data_base64 is not base64: {error}"))?,
    };
    let media_type = written_as.as_deref().unwrap_or("application/json");
    let media_type = HeaderValue::from_str(media_type)
        .map_err(|_| format!("its datacontenttype {media_type:?} is not a media type"))?;
    Ok(CloudEvent { attributes, data: data.into(), media_type: Some(media_type) })
}

/// Whether data of this media type is JSON: then the member `data` is the JSON itself, and otherwise a string of it.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// An attribute and its canonical text (CloudEvents, "Type System").
fn attribute((name, value): (String, &RawValue)) -> Result<(String, String), String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(format!("{name:?} is no name of an attribute: expected lower-case letters and digits"));
    }
    let written = value.get();
    let text = match written.as_bytes().first() {
        Some(b'"') => text(&name, value)?,
        Some(b'{' | b'[') => return Err(format!("its attribute {name} is an object or an array")),
        _ => written.to_owned(),
    };
    Ok((name, text))
}

fn text(name: &str, value: &RawValue) -> Result<String, String> {
    serde_json::from_str(value.get()).map_err(|_| format!("its {name} is not a string"))
}

/// Describes the data in the fields of its request, as the binary mode does.
fn describe(
    fields: &mut HeaderMap,
    attributes: BTreeMap<String, String>,
    media_type: Option<HeaderValue>,
    length: usize,
) -> Result<(), InvokeError> {
    for name in [CONTENT_ENCODING, CONTENT_TYPE, TRANSFER_ENCODING] {
        fields.remove(name);
    }
    fields.extend(media_type.map(|media_type| (CONTENT_TYPE, media_type)));
    fields.insert(CONTENT_LENGTH, length.into());
    for (name, value) in attributes {
        let encoded = utf8_percent_encode(&value, ENCODED).to_string();
        let named = HeaderName::from_bytes(format!("ce-{name}").as_bytes()).ok();
        let (Some(named), Ok(value)) = (named, HeaderValue::from_str(&encoded)) else {
            let detail = format!("the CloudEvent's attribute {name} cannot be a header field");
            return Err(InvokeError::new(ErrorKind::InvalidInput, detail));
        };
        fields.insert(named, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event with these members beside the required ones.
    fn event(members: &str) -> Result<CloudEvent, String> {
        parse(format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t"{members}}}"#).as_bytes())
    }

    #[test]
    fn data_is_read_as_its_media_type_says() {
        let cases: [(&str, &[u8], Option<&str>); 9] = [
            ("", b"", None),
            (r#","data":null"#, b"", None),
            (r#","data":{"a": 1.0}"#, br#"{"a": 1.0}"#, Some("application/json")),
            (r#","data":"x""#, br#""x""#, Some("application/json")),
            (
                r#","datacontenttype":"text/json; charset=utf-8","data":[2,3]"#,
                b"[2,3]",
                Some("text/json; charset=utf-8"),
            ),
            (r#","datacontenttype":"application/x+JSON","data":1"#, b"1", Some("application/x+JSON")),
            (r#","datacontenttype":"text/plain","data":"a\nb""#, b"a\nb", Some("text/plain")),
            (r#","datacontenttype":"image/png","data_base64":"AP8Q""#, b"\0\xff\x10", Some("image/png")),
            (r#","data_base64":"WzFd""#, b"[1]", Some("application/json")),
        ];
        for (members, data, media_type) in cases {
            let read = event(members).unwrap();
            let read_type = read.media_type.as_ref().map(|value| value.to_str().unwrap());
            assert_eq!((&read.data[..], read_type), (data, media_type), "{members}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_event_is_said() {
        let cases = [
            (r#","data":1,"data_base64":"MQ==""#, "it has both data and data_base64"),
            (r#","data_base64":"?""#, "its data_base64 is not base64"),
            (r#","data_base64":1"#, "its data_base64 is not a string"),
            (r#","datacontenttype":"text/csv","data":{}"#, "its data is not a string, as text/csv is"),
            (r#","datacontenttype":7"#, "its datacontenttype is not a string"),
            (r#","datacontenttype":"a\nb","data_base64":"""#, "its datacontenttype \"a\\nb\" is not a media type"),
            (r#","traceParent":"x""#, "\"traceParent\" is no name of an attribute"),
            (r#","more":[1]"#, "its attribute more is an object or an array"),
            (r#","id":"""#, "its attribute id is missing"),
            (r#","specversion":"0.3""#, "its specversion is \"0.3\", expected \"1.0\""),
        ];
        for (members, expected) in cases {
            let error = event(members).unwrap_err();
            assert!(error.starts_with(expected), "{members}: {error}");
        }
        for (body, expected) in
            [("", "EOF while parsing"), ("[]", "invalid type"), ("{}", "its attribute id is missing")]
        {
            let error = parse(body.as_bytes()).unwrap_err();
            assert!(error.starts_with(expected), "{body}: {error}");
        }
    }

    #[test]
    fn attributes_become_fields() {
        let read = event(r#","subject":"a b \"ü\" 100%","partition":7,"urgent":true"#).unwrap();
        let mut fields = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        describe(&mut fields, read.attributes, None, 0).unwrap();
        let written: BTreeMap<_, _> =
            fields.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let expected = BTreeMap::from([
            ("ce-id", "1"),
            ("ce-partition", "7"),
            ("ce-source", "/s"),
            ("ce-specversion", "1.0"),
            ("ce-subject", "a%20b%20%22%C3%BC%22%20100%25"),
            ("ce-type", "t"),
            ("ce-urgent", "true"),
            ("content-length", "0"),
        ]);
        assert_eq!(written, expected);
    }

    #[test]
    fn a_structured_event_is_known_by_its_media_type() {
        let cases = [
            ("application/cloudevents+json", true),
            ("Application/CloudEvents+JSON; charset=utf-8", true),
            ("application/cloudevents-batch+json", true),
            ("application/json", false),
            ("application/cloudevents+xml", false),
        ];
        for (media_type, expected) in cases {
            let event = |body: &'static str| Event::payload(body, Some(HeaderValue::from_static(media_type)));
            assert_eq!(is_structured(&event("{}")), expected, "{media_type}");
            assert!(!is_structured(&event("")));
        }
    }
}
