//! The request of the host for an event, and the event that the function gets.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use nebula_runtime::{ErrorKind, Event, InvokeError};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::bindings::Bindings;

/// The header field in which an HTTP handler reads the event's metadata, as JSON.
const METADATA: HeaderName = HeaderName::from_static("azure-functions-metadata");

/// The body of a request for an event ("Request payload").
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct EventRequest<'a> {
    /// The data of each trigger and input, by the binding's name.
    #[serde(borrow)]
    data: BTreeMap<String, &'a RawValue>,
    /// Facts about the event, such as how often it was tried.
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

impl EventRequest<'_> {
    /// The event for a function with these bindings.
    pub(crate) fn event(&self, bindings: &Bindings) -> Result<Event, InvokeError> {
        let (name, is_binary) = bindings.trigger();
        let data = self.data.get(name).ok_or_else(|| {
            let detail =
                format!("the event has no data of its trigger {name}: deploy the package again as it was made");
            InvokeError::new(ErrorKind::InvalidInput, detail)
        })?;
        let event = match serde_json::from_str::<String>(data.get()) {
            Ok(octets) if is_binary => self::octets(&octets)?,
            Ok(text) => of_text(text),
            Err(_) => Event::json(data.get().to_owned()),
        };
        Ok(event.with_fields(self.fields()))
    }

    fn fields(&self) -> HeaderMap {
        let metadata = self.metadata.and_then(|json| HeaderValue::from_bytes(json.get().as_bytes()).ok());
        metadata.map(|metadata| (METADATA, metadata)).into_iter().collect()
    }
}

fn octets(base64: &str) -> Result<Event, InvokeError> {
    let decoded = STANDARD.decode(base64).map_err(|error| {
        let detail = "the binary data of the event are not base64";
        InvokeError::new(ErrorKind::InvalidInput, detail).with_source(error)
    })?;
    Ok(Event::payload(decoded, Some(HeaderValue::from_static("application/octet-stream"))))
}

/// The event of a text. The host encodes most texts once more as a JSON string. The text itself may be JSON.
fn of_text(text: String) -> Event {
    let text = serde_json::from_str::<String>(&text).unwrap_or(text);
    match serde_json::from_str::<IgnoredAny>(&text) {
        Ok(_) => Event::json(text),
        Err(_) => Event::payload(text, Some(HeaderValue::from_static("text/plain; charset=utf-8"))),
    }
}

#[cfg(test)]
mod tests {
    use nebula_runtime::Input;

    use super::*;

    fn event(data: &str, data_type: &str) -> Result<(String, String), ErrorKind> {
        let bindings = format!(
            r#"{{"bindings":[{{"type":"queueTrigger","direction":"in","name":"item","dataType":"{data_type}"}}]}}"#
        );
        let request = format!(r#"{{"Data":{{"item":{data}}},"Metadata":{{"DequeueCount":2}}}}"#);
        let request: EventRequest<'_> = serde_json::from_str(&request).unwrap();
        let event = request.event(&Bindings::parse(bindings.as_bytes()).unwrap()).map_err(|error| error.kind())?;
        assert_eq!(event.header(&METADATA).unwrap(), r#"{"DequeueCount":2}"#);
        let Input::Payload { body, media_type, .. } = event.into_parts().0 else { panic!("a request") };
        let media_type = media_type.unwrap().to_str().unwrap().to_owned();
        Ok((String::from_utf8(body.as_whole().unwrap().to_vec()).unwrap(), media_type))
    }

    #[test]
    fn a_function_gets_the_data_of_its_trigger_as_they_were_before_the_host_encoded_them() {
        let cases = [
            // A message of a queue, as the host sends it, and as Azure's documentation shows it.
            (r#""\"hello\"""#, "string", Ok(("hello", "text/plain; charset=utf-8"))),
            (
                r#""{ message: \"Message sent\" }""#,
                "",
                Ok((r#"{ message: "Message sent" }"#, "text/plain; charset=utf-8")),
            ),
            (r#""\"{\\\"asked\\\":10}\"""#, "", Ok((r#"{"asked":10}"#, "application/json"))),
            (r#""10""#, "", Ok(("10", "application/json"))),
            // A timer.
            (r#"{"IsPastDue":false}"#, "", Ok((r#"{"IsPastDue":false}"#, "application/json"))),
            (r#""aMO8""#, "binary", Ok(("hü", "application/octet-stream"))),
            (r#""no base64""#, "binary", Err(ErrorKind::InvalidInput)),
        ];
        for (data, data_type, expected) in cases {
            let expected = expected.map(|(text, media_type)| (text.to_owned(), media_type.to_owned()));
            assert_eq!(event(data, data_type), expected, "{data}");
        }
    }

    #[test]
    fn data_without_those_of_the_trigger_are_an_invalid_input() {
        let bindings = br#"{"bindings":[{"type":"queueTrigger","direction":"in","name":"item"}]}"#;
        let request: EventRequest<'_> = serde_json::from_str(r#"{"Data":{"other":1}}"#).unwrap();
        let error = request.event(&Bindings::parse(bindings).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
