//! Writes blobs as components did before August 2024: the blob ends when its stream is dropped. The component does not
//! import `finish`, because it never calls it.

wit_bindgen::generate!({ path: "wit", world: "blobs", generate_all });

use exports::nebula::blobs::script::Guest;
use wasi::{
    blobstore::{
        blobstore::get_container,
        types::{IncomingValue, OutgoingValue},
    },
    io::streams::OutputStream,
};

struct Script;

export!(Script);

type Shown = Result<String, String>;

impl Guest for Script {
    fn run(steps: Vec<Vec<String>>) -> Vec<String> {
        let shown = |step: Vec<String>| {
            let words: Vec<_> = step.iter().map(String::as_str).collect();
            take(&words).unwrap_or_else(|error| format!("error: {error}"))
        };
        steps.into_iter().map(shown).collect()
    }
}

fn take(step: &[&str]) -> Shown {
    match step {
        ["write", to, name, text] => write(to, name, text.as_bytes()),
        ["write-first", to, name, text] => write_first(to, name, text.as_bytes()),
        ["write-nothing", to, name] => write_nothing(to, name),
        // Large blobs, without large events.
        ["fill", to, name, size] => write(to, name, &vec![b'x'; number(size)]),
        ["fill-first", to, name, size] => write_first(to, name, &vec![b'x'; number(size)]),
        ["read", from, name] => read(from, name),
        ["has", container, name] => Ok(get_container(container)?.has_object(name)?.to_string()),
        ["delete", container, name] => get_container(container)?.delete_object(name).map(|()| "done".to_owned()),
        _ => Err(format!("no such step: {step:?}")),
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or(0)
}

/// Shows whether the blob is there after its stream is dropped, while the value is still held.
fn write(to: &str, name: &str, bytes: &[u8]) -> Shown {
    let (container, value) = (get_container(to)?, OutgoingValue::new_outgoing_value());
    container.write_data(name, &value)?;
    put(value.outgoing_value_write_body().map_err(|()| "no stream")?, bytes)?;
    Ok(format!("there: {}", container.has_object(name)?))
}

fn write_first(to: &str, name: &str, bytes: &[u8]) -> Shown {
    let value = OutgoingValue::new_outgoing_value();
    put(value.outgoing_value_write_body().map_err(|()| "no stream")?, bytes)?;
    let container = get_container(to)?;
    container.write_data(name, &value)?;
    Ok(format!("there: {}", container.has_object(name)?))
}

/// Takes no stream. The blob ends with the value.
fn write_nothing(to: &str, name: &str) -> Shown {
    let (container, value) = (get_container(to)?, OutgoingValue::new_outgoing_value());
    container.write_data(name, &value)?;
    let before = container.has_object(name)?;
    drop(value);
    Ok(format!("there: {before}, {}", container.has_object(name)?))
}

fn put(stream: OutputStream, bytes: &[u8]) -> Result<(), String> {
    let mut pieces = bytes.chunks(4096);
    pieces.try_for_each(|piece| stream.blocking_write_and_flush(piece)).map_err(|_| "the stream failed".to_owned())
}

fn read(from: &str, name: &str) -> Shown {
    let value = get_container(from)?.get_data(name, 0, u64::MAX)?;
    let bytes = IncomingValue::incoming_value_consume_sync(value)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
