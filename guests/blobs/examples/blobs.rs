//! Does what it is told with the blobs of containers.

wit_bindgen::generate!({ path: "wit", world: "blobs", generate_all });

use exports::nebula::blobs::script::Guest;
use wasi::{
    blobstore::{
        blobstore::{
            ObjectId, container_exists, copy_object, create_container, delete_container, get_container, move_object,
        },
        types::{IncomingValue, OutgoingValue},
    },
    io::streams::{InputStream, OutputStream, StreamError},
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
        ["exists", container] => Ok(container_exists(container)?.to_string()),
        ["container", name] => container(name),
        ["delete-container", name] => done(delete_container(name)),
        ["write", to, name, text] => done(write(to, name, |stream| write_text(stream, text))),
        ["write-first", to, name, text] => done(write_first(to, name, text)),
        ["write-too-much", to, name] => write_too_much(to, name),
        ["write-twice", to, name] => write_twice(to, name),
        ["abandon", to, name, text] => abandon(to, name, text),
        ["fill", to, name, kibibytes] => done(write(to, name, |stream| fill(stream, number(kibibytes)))),
        ["read", from, name] => read(from, name, 0, u64::MAX),
        ["read", from, name, first, last] => read(from, name, number(first), number(last)),
        ["count", from, name] => Ok(count(from, name)?.to_string()),
        ["info", of, name] => info(of, name),
        ["has", container, name] => Ok(get_container(container)?.has_object(name)?.to_string()),
        ["list", container] => list(container),
        ["skip", container, count] => skip(container, number(count)),
        ["delete", container, name] => done(get_container(container)?.delete_object(name)),
        ["delete", container, names @ ..] => done(get_container(container)?.delete_objects(&owned(names))),
        ["clear", container] => done(get_container(container)?.clear()),
        ["copy", from, name, to, new] => done(copy_object(&id(from, name), &id(to, new))),
        ["move", from, name, to, new] => done(move_object(&id(from, name), &id(to, new))),
        ["open", from, name, times] => open(from, name, number(times)),
        _ => Err(format!("no such step: {step:?}")),
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(u64::MAX)
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn id(container: &str, object: &str) -> ObjectId {
    ObjectId { container: container.to_owned(), object: object.to_owned() }
}

fn done(result: Result<(), String>) -> Shown {
    result.map(|()| "done".to_owned())
}

fn container(name: &str) -> Shown {
    let container = create_container(name)?;
    let info = container.info()?;
    Ok(format!("{}, {} since {}", container.name()?, info.name, info.created_at))
}

/// Writes a blob as `body` says.
fn write(to: &str, name: &str, body: impl FnOnce(&OutputStream) -> Result<(), StreamError>) -> Result<(), String> {
    let value = OutgoingValue::new_outgoing_value();
    get_container(to)?.write_data(name, &value)?;
    let stream = value.outgoing_value_write_body().map_err(|()| "no stream")?;
    // If the service takes no more, `finish` says why.
    let _ = body(&stream);
    drop(stream);
    OutgoingValue::finish(value)
}

fn write_text(stream: &OutputStream, text: &str) -> Result<(), StreamError> {
    text.as_bytes().chunks(4096).try_for_each(|piece| stream.blocking_write_and_flush(piece))
}

fn fill(stream: &OutputStream, kibibytes: u64) -> Result<(), StreamError> {
    (0..kibibytes).try_for_each(|_| stream.blocking_write_and_flush(&[7; 1024]))
}

/// Writes the bytes of a blob before it says where they belong.
fn write_first(to: &str, name: &str, text: &str) -> Result<(), String> {
    let value = OutgoingValue::new_outgoing_value();
    let stream = value.outgoing_value_write_body().map_err(|()| "no stream")?;
    write_text(&stream, text).map_err(|error| reason(&error))?;
    drop(stream);
    get_container(to)?.write_data(name, &value)?;
    OutgoingValue::finish(value)
}

/// Writes two MiB before it says where they belong.
fn write_too_much(to: &str, name: &str) -> Shown {
    let value = OutgoingValue::new_outgoing_value();
    let stream = value.outgoing_value_write_body().map_err(|()| "no stream")?;
    let error = fill(&stream, 2048).err().ok_or("it was written")?;
    drop((stream, value));
    let is_there = get_container(to)?.has_object(name)?;
    Ok(format!("{}; there: {is_there}", reason(&error)))
}

/// Shows the errors of a second target, of a second stream, and of a value without a target.
fn write_twice(to: &str, name: &str) -> Shown {
    let value = OutgoingValue::new_outgoing_value();
    let container = get_container(to)?;
    container.write_data(name, &value)?;
    let target = container.write_data("another", &value).err().unwrap_or_default();
    let streams = [value.outgoing_value_write_body(), value.outgoing_value_write_body()].map(|stream| stream.is_ok());
    OutgoingValue::finish(value)?;
    let nowhere = OutgoingValue::finish(OutgoingValue::new_outgoing_value()).err().unwrap_or_default();
    Ok(format!("{target}; {streams:?}; {nowhere}"))
}

/// Writes a blob and does not finish.
fn abandon(to: &str, name: &str, text: &str) -> Shown {
    let value = OutgoingValue::new_outgoing_value();
    let container = get_container(to)?;
    container.write_data(name, &value)?;
    let stream = value.outgoing_value_write_body().map_err(|()| "no stream")?;
    write_text(&stream, text).map_err(|error| reason(&error))?;
    drop(stream);
    drop(value);
    Ok(container.has_object(name)?.to_string())
}

fn read(from: &str, name: &str, first: u64, last: u64) -> Shown {
    let value = get_container(from)?.get_data(name, first, last)?;
    let size = value.size();
    let bytes = IncomingValue::incoming_value_consume_sync(value)?;
    Ok(format!("{size}: {}", String::from_utf8_lossy(&bytes)))
}

/// Counts the bytes of a blob, which it reads as a stream.
fn count(from: &str, name: &str) -> Result<u64, String> {
    let value = get_container(from)?.get_data(name, 0, u64::MAX)?;
    count_bytes(&IncomingValue::incoming_value_consume_async(value)?)
}

fn count_bytes(stream: &InputStream) -> Result<u64, String> {
    let mut count = 0;
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => count += piece.len() as u64,
            Err(StreamError::Closed) => return Ok(count),
            Err(error) => return Err(reason(&error)),
        }
    }
}

fn reason(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        // A host in a test may add a backtrace.
        StreamError::LastOperationFailed(error) => {
            error.to_debug_string().lines().next().unwrap_or_default().to_owned()
        }
    }
}

fn info(of: &str, name: &str) -> Shown {
    /// The beginning of 2020, in seconds.
    const YEAR_2020: u64 = 1_577_836_800;
    let info = get_container(of)?.object_info(name)?;
    let is_new = (YEAR_2020..YEAR_2020 * 2).contains(&info.created_at);
    Ok(format!("{} in {}: {} bytes, newer than 2020: {is_new}", info.name, info.container, info.size))
}

/// The names in the order of the alphabet. It reads two at a time.
fn list(container: &str) -> Shown {
    let names = get_container(container)?.list_objects()?;
    let mut all = Vec::new();
    loop {
        let (some, is_end) = names.read_stream_object_names(2)?;
        all.extend(some);
        if is_end {
            all.sort();
            return Ok(all.join(" "));
        }
    }
}

fn skip(container: &str, count: u64) -> Shown {
    let names = get_container(container)?.list_objects()?;
    let (skipped, is_end) = names.skip_stream_object_names(count)?;
    let (left, _) = names.read_stream_object_names(1000)?;
    Ok(format!("{skipped} skipped, end: {is_end}, {} left", left.len()))
}

/// Opens a blob so many times at once.
fn open(from: &str, name: &str, times: u64) -> Shown {
    let container = get_container(from)?;
    let (mut opened, mut error) = (Vec::new(), String::new());
    for _ in 0..times {
        match container.get_data(name, 0, 0) {
            Ok(value) => opened.push(value),
            Err(why) => error = why,
        }
    }
    Ok(format!("{} opened; {error}", opened.len()))
}
