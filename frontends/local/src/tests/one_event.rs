use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use bytes::Bytes;
use http::HeaderValue;
use http_body::Frame;
use http_body_util::StreamBody;
use nebula_runtime::{Body, Buffering, ErrorKind, Invocation, InvokeError, Invoker, Response, invoker_fn};
use tokio::sync::mpsc;

use super::harness::*;
use crate::{Events, Job, JobOutcome, Output};

fn raw() -> Job {
    job(Events::Raw(Vec::new()))
}

/// Answers each event with itself, streamed as octets.
fn stream() -> Arc<dyn Invoker> {
    Arc::new(invoker_fn(async |invocation: Invocation| {
        assert_eq!(invocation.buffering, Buffering::Off);
        let body = invocation.event.into_parts().0.into_body();
        let mut response = Response::new(HeaderValue::from_static("image/png"), Bytes::new(), invocation.report);
        response.body = body;
        Ok(response)
    }))
}

#[tokio::test]
async fn arguments_are_one_event_and_its_result_is_written_unchanged() {
    let arguments = Arc::new(invoker_fn(async |invocation: Invocation| {
        json(format!("[ {} ]", invocation.event.arguments().join(" ; ")), invocation)
    }));
    let (outcome, output) = run(arguments, job(Events::Arguments(vec!["a".into(), "-1".into()])), "not read").await;
    assert!(matches!(outcome, Ok(JobOutcome::Answered)), "{outcome:?}");
    assert_eq!(output, "[ a ; -1 ]\n");
}

#[tokio::test]
async fn a_line_feed_is_added_to_a_text_after_arguments_and_to_nothing_else() {
    let by_arguments = || job(Events::Arguments(vec!["a".into()]));
    let cases = [
        ("application/json", "10", by_arguments(), "10\n"),
        ("text/csv; charset=utf-8", "a\nb\n", by_arguments(), "a\nb\n"),
        ("text/plain", "", by_arguments(), ""),
        ("application/octet-stream", "10", by_arguments(), "10"),
        ("application/json", "10", raw(), "10"),
        ("application/json", "10", job(Events::Raw(vec!["a".into()])), "10"),
    ];
    for (media_type, body, job, expected) in cases {
        let answers = Arc::new(invoker_fn(async move |invocation: Invocation| {
            Ok(Response::new(
                HeaderValue::from_static(media_type),
                Bytes::from_static(body.as_bytes()),
                invocation.report,
            ))
        }));
        let (outcome, output) = run(answers, job, "").await;
        assert!(matches!(outcome, Ok(JobOutcome::Answered)), "{outcome:?}");
        assert_eq!(output, expected, "{media_type} {body:?}");
    }
}

#[tokio::test]
async fn raw_input_is_one_event_of_any_bytes_and_any_size() {
    let input = "0\n\n".repeat(100_000);
    let (outcome, output) = run(stream(), raw(), &input).await;
    assert!(matches!(outcome, Ok(JobOutcome::Answered)), "{outcome:?}");
    assert!(output == input);
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_output_is_written_while_the_input_goes_on() {
    let (mut feed, stdin) = pipe();
    let (stdout, mut results) = pipe();
    let job = tokio::spawn(crate::run(stream(), raw(), stdin, stdout));
    let conversation = tokio::task::spawn_blocking(move || {
        for part in [b"a", b"b", b"c"] {
            feed.write_all(part).unwrap();
            let mut back = [0];
            results.read_exact(&mut back).unwrap();
            assert_eq!(&back, part);
        }
        drop(feed);
        results
    });
    let _results = conversation.await.unwrap();
    assert!(matches!(job.await.unwrap(), Ok(JobOutcome::Answered)));
}

#[tokio::test]
async fn a_failure_in_the_middle_ends_the_output() {
    let breaking = Arc::new(invoker_fn(async |invocation: Invocation| {
        let frames =
            [Ok(Frame::data(Bytes::from_static(b"half"))), Err(InvokeError::new(ErrorKind::GuestFault, "it trapped"))];
        let (sender, mut receiver) = mpsc::channel(2);
        for frame in frames {
            sender.send(frame).await.unwrap();
        }
        drop(sender);
        let mut response = Response::new(HeaderValue::from_static("text/plain"), Bytes::new(), invocation.report);
        let frames = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        response.body = Body::stream(StreamBody::new(frames));
        Ok(response)
    }));
    let (outcome, output) = run(breaking, raw(), "").await;
    assert_eq!(output, "half");
    let outcome = outcome.unwrap();
    assert!(matches!(&outcome, JobOutcome::Failed(error) if error.detail() == "it trapped"), "{outcome:?}");
    assert_eq!(outcome.exit_code(), 134);
}

#[tokio::test]
async fn full_output_of_one_event_is_one_object() {
    let (outcome, output) = run(stream_or_settled(), Job { output: Output::Full, ..raw() }, "\u{1}").await;
    assert!(matches!(outcome, Ok(JobOutcome::Answered)), "{outcome:?}");
    let object: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&object["body"], &object["report"]["outcome"]), (&"AQ==".into(), &"ok".into()));
}

fn stream_or_settled() -> Arc<dyn Invoker> {
    Arc::new(invoker_fn(async |invocation: Invocation| {
        let body = invocation.event.into_parts().0.into_body().collect(MAX).await?;
        Ok(Response::new(HeaderValue::from_static("image/png"), body, invocation.report))
    }))
}

#[tokio::test]
async fn a_closed_output_ends_the_job_without_a_failure() {
    let (stdout, results) = pipe();
    drop(results);
    let (_feed, stdin) = pipe();
    let chatty = Arc::new(invoker_fn(async |invocation: Invocation| {
        let frames = futures_util::stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(b"y\n"))));
        let mut response = Response::new(HeaderValue::from_static("text/plain"), Bytes::new(), invocation.report);
        response.body = Body::stream(StreamBody::new(frames));
        Ok(response)
    }));
    let outcome = crate::run(chatty, raw(), stdin, stdout).await;
    assert!(matches!(outcome, Ok(JobOutcome::OutputClosed)), "{outcome:?}");
}
