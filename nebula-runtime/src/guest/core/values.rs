//! A call's numbers, out of its event and into its response.

use std::io;

use bytes::Bytes;
use serde_json::value::RawValue;
use wasmtime::Val;

use super::{super::coding, function::Function, number};
use crate::{
    call::{ErrorKind, Event, Input, InvokeError},
    function::without_byte_order_mark,
};

/// The call's parameters, with room for its results behind them, and how many bytes they came in.
pub(super) async fn params(
    function: &Function,
    event: Event,
    max_request: u64,
) -> Result<(Vec<Val>, u64), InvokeError> {
    let (input, arguments) = event.into_parts();
    if arguments.is_empty() {
        let body = coding::decoded_body(input, max_request).await?;
        return Ok((params_of_body(function, &body)?, body.len() as u64));
    }
    if !input.into_body().is_known_empty() {
        let detail = "the event has arguments both in its path and in its body; give them in one of the two";
        return Err(InvokeError::new(ErrorKind::InvalidInput, detail));
    }
    let size = size_of_all(&arguments);
    Ok((params_of(function, &arguments, number::parse)?, size))
}

fn params_of_body(function: &Function, body: &Bytes) -> Result<Vec<Val>, InvokeError> {
    let body = without_byte_order_mark(body);
    let text = std::str::from_utf8(body).map_err(|_| not_numbers("it is not UTF-8"))?.trim_ascii();
    if text.is_empty() || text == "null" {
        return params_of::<&str>(function, &[], number::parse_json);
    }
    if text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| not_numbers(&error.to_string()))?;
        let items: Vec<_> = items.into_iter().map(RawValue::get).collect();
        return params_of(function, &items, number::parse_json);
    }
    if text.starts_with('{') {
        return Err(not_numbers("it is an object"));
    }
    params_of(function, &[text], number::parse_json)
}

fn not_numbers(why: &str) -> InvokeError {
    InvokeError::new(ErrorKind::InvalidInput, format!("expected a JSON number or an array of numbers: {why}"))
}

fn params_of<T: AsRef<str>>(
    function: &Function,
    arguments: &[T],
    parse: fn(&str, number::Number) -> Result<Val, number::NotANumber>,
) -> Result<Vec<Val>, InvokeError> {
    let invalid = |detail| InvokeError::new(ErrorKind::InvalidInput, detail);
    if arguments.len() != function.params.len() {
        let types: Vec<_> = function.params.iter().map(ToString::to_string).collect();
        let (wanted, got) = (function.params.len(), arguments.len());
        let plural = if wanted == 1 { "argument" } else { "arguments" };
        return Err(invalid(format!("{} takes {wanted} {plural} ({}), got {got}", function.name, types.join(", "))));
    }
    let pairs = arguments.iter().zip(&function.params).enumerate();
    let mut values = Vec::with_capacity(function.params.len() + function.results);
    for (index, (text, ty)) in pairs {
        values.push(parse(text.as_ref(), *ty).map_err(|error| invalid(format!("arg {index}: {error}")))?);
    }
    values.resize(function.params.len() + function.results, Val::I32(0));
    Ok(values)
}

/// The call's parameters, if they are in memory and need no decoding, and how many bytes they came in. `None` also where they
/// are wrong: then [`params`] says why.
pub(super) fn params_at_once(function: &Function, event: &Event, max_request: u64) -> Option<(Vec<Val>, u64)> {
    let (is_empty, whole) = match event.input() {
        // The body of a request may have a content coding.
        Input::Http(request) => (request.body().is_known_empty(), None),
        Input::Payload { body, .. } => (body.is_known_empty(), body.as_whole()),
    };
    match event.arguments() {
        [] if is_empty => Some((params_of_body(function, &Bytes::new()).ok()?, 0)),
        [] => {
            let body = whole.filter(|body| body.len() as u64 <= max_request)?;
            Some((params_of_body(function, body).ok()?, body.len() as u64))
        }
        arguments if is_empty => Some((params_of(function, arguments, number::parse).ok()?, size_of_all(arguments))),
        _ => None,
    }
}

fn size_of_all(arguments: &[String]) -> u64 {
    arguments.iter().map(|argument| argument.len() as u64).sum()
}

/// The results, which stand behind the call's parameters, as the body of a response.
pub(super) fn response_body(function: &Function, values: &[Val]) -> Result<Bytes, InvokeError> {
    let results = values.get(function.params.len()..).unwrap_or_default();
    json(results)
        .map_err(|error| InvokeError::new(ErrorKind::Internal, "failed to write the result").with_source(error))
}

/// One number as it is, several as an array, none as `null`.
fn json(results: &[Val]) -> io::Result<Bytes> {
    match results {
        [] => Ok(Bytes::from_static(b"null")),
        [result] => number::json(result),
        results => {
            let mut out = Vec::new();
            for (index, result) in results.iter().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                number::write_json(result, &mut out)?;
            }
            out.push(b']');
            Ok(out.into())
        }
    }
}
