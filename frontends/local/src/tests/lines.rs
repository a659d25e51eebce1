use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use nebula_runtime::{ErrorKind, Invocation, invoker_fn, test_kit::Failing};
use tokio::sync::{Barrier, watch};

use super::harness::*;
use crate::{JobOutcome, LocalError, Output, Progress, Summary, run_with_progress};

fn summary(outcome: Result<JobOutcome, LocalError>) -> (u64, u64, Option<u8>) {
    match outcome {
        Ok(JobOutcome::Stream(Summary { events, failures, first_failure, .. })) => (events, failures, first_failure),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_line_is_an_event_and_its_result_a_line() {
    let (outcome, output) = run(echo(), lines(1), "1\n\n  [2, \"a b\"] \r\n{}").await;
    assert_eq!(output, "1\n[2,\"a b\"]\n{}\n");
    assert_eq!(summary(outcome), (3, 0, None));
}

#[tokio::test]
async fn a_stream_tells_how_far_it_has_come() {
    let input = "1\n\n no JSON\r\n[2]\n \n3";
    let (progress, (output, _reader)) = (Arc::<Progress>::default(), pipe());
    let outcome =
        run_with_progress(echo(), lines(2), io::Cursor::new(input), output, Arc::clone(&progress)).await.unwrap();
    assert_eq!(outcome.exit_code(), 65);
    assert_eq!((progress.events(), progress.failures(), progress.bytes()), (4, 1, input.len() as u64));
}

#[tokio::test]
async fn no_events_are_no_results() {
    for input in ["", "\n", "  \n \n", "   "] {
        let (outcome, output) = run(echo(), lines(2), input).await;
        assert_eq!((output.as_str(), summary(outcome)), ("", (0, 0, None)), "{input:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_in_the_order_of_their_events_when_the_events_end_in_another() {
    let (ended, _) = watch::channel(4);
    let backwards = Arc::new(invoker_fn(move |invocation: Invocation| {
        let ended = ended.clone();
        async move {
            let number: u32 = text(&invocation).parse().unwrap();
            ended.subscribe().wait_for(|after| *after == number + 1).await.unwrap();
            ended.send_replace(number);
            json(text(&invocation), invocation)
        }
    }));
    let (outcome, output) = run(backwards, lines(4), "0\n1\n2\n3\n").await;
    assert_eq!(output, "0\n1\n2\n3\n");
    assert_eq!(summary(outcome), (4, 0, None));
}

#[tokio::test]
async fn as_many_events_run_at_once_as_there_are_jobs() {
    let all_there = Arc::new(Barrier::new(3));
    let together = Arc::new(invoker_fn(move |invocation: Invocation| {
        let all_there = Arc::clone(&all_there);
        async move {
            all_there.wait().await;
            json(text(&invocation), invocation)
        }
    }));
    let (outcome, output) = run(together, lines(3), "1\n2\n3\n4\n5\n6\n").await;
    assert_eq!(output, "1\n2\n3\n4\n5\n6\n");
    assert_eq!(summary(outcome), (6, 0, None));
}

#[tokio::test]
async fn an_invalid_line_is_an_error_in_its_place_and_the_stream_goes_on() {
    let long = format!("1\n[1,]\n\"{}\"\n4\n", "x".repeat(MAX as usize));
    let (outcome, output) = run(echo(), lines(2), &long).await;
    let expected = concat!(
        "1\n",
        r#"{"error":{"kind":"invalid_input","detail":"line 2 is not a JSON value: expected value at column 4; "#,
        r#"to send text as it is, use --raw"}}"#,
        "\n",
        r#"{"error":{"kind":"payload_too_large","detail":"line 3 is larger than the limit of 100 bytes (max_request)"}}"#,
        "\n4\n",
    );
    assert_eq!(output, expected);
    assert_eq!(summary(outcome), (4, 2, Some(65)));
}

#[tokio::test]
async fn the_exit_code_is_that_of_the_first_failure() {
    let failing = Failing::call(2, ErrorKind::GuestFault, "bad", echo());
    let failing = Failing::call(2, ErrorKind::Timeout, "late", Arc::new(failing));
    let (outcome, output) = run(Arc::new(failing), lines(1), "0\n1\n2\n").await;
    let expected = "0\n{\"error\":{\"kind\":\"timeout\",\"detail\":\"late\"}}\n{\"error\":{\"kind\":\"guest_fault\",\"detail\":\"bad\"}}\n";
    assert_eq!(output, expected);
    assert_eq!(summary(outcome), (3, 2, Some(124)));
}

#[tokio::test]
async fn a_result_over_its_limit_is_that_lines_error() {
    let large = Arc::new(invoker_fn(async |invocation: Invocation| json(vec![b'1'; MAX as usize + 1], invocation)));
    let (outcome, output) = run(large, lines(1), "1\n").await;
    assert!(output.contains(r#"{"error":{"kind":"limit_exceeded""#), "{output}");
    assert_eq!(summary(outcome), (1, 1, Some(137)));
}

#[tokio::test]
async fn with_full_output_each_line_has_its_report_also_a_failure() {
    let job = crate::Job { output: Output::Full, ..lines(1) };
    let (_, output) = run(echo(), job, "[1, 2]\nno\n").await;
    let objects: Vec<serde_json::Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [answered, refused] = objects.as_slice() else { panic!("{output}") };
    assert_eq!(answered["status"], 200);
    assert_eq!(answered["headers"]["content-type"], "application/json");
    assert_eq!(answered["body"], serde_json::json!([1, 2]));
    assert_eq!(refused["error"]["kind"], "invalid_input");
    let reports =
        [answered, refused].map(|object| (object["report"]["frontend"].clone(), object["report"]["outcome"].clone()));
    assert_eq!(reports, [("local".into(), "ok".into()), ("local".into(), "invalid_input".into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_written_before_the_next_event_comes() {
    let (mut feed, stdin) = pipe();
    let (stdout, mut results) = pipe();
    let job = tokio::spawn(crate::run(echo(), lines(2), stdin, stdout));
    let conversation = tokio::task::spawn_blocking(move || {
        for event in ["1\n", "22\n", "333\n"] {
            feed.write_all(event.as_bytes()).unwrap();
            let mut result = vec![0; event.len()];
            results.read_exact(&mut result).unwrap();
            assert_eq!(result, event.as_bytes());
        }
    });
    conversation.await.unwrap();
    assert_eq!(summary(job.await.unwrap()), (3, 0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_written_while_the_next_event_is_running() {
    let (go, wait) = watch::channel(false);
    let slow = Arc::new(invoker_fn(move |invocation: Invocation| {
        let mut wait = wait.clone();
        async move {
            let first = text(&invocation) == "1";
            wait.wait_for(|go| *go || first).await.unwrap();
            json(text(&invocation), invocation)
        }
    }));
    let (stdout, mut results) = pipe();
    let job = tokio::spawn(crate::run(slow, lines(2), io::Cursor::new("1\n2\n"), stdout));
    let first = tokio::task::spawn_blocking(move || {
        let mut first = [0; 2];
        results.read_exact(&mut first).unwrap();
        (first, results)
    });
    let (first, _results) = first.await.unwrap();
    assert_eq!(&first, b"1\n");
    go.send_replace(true);
    assert_eq!(summary(job.await.unwrap()), (2, 0, None));
}

#[tokio::test]
async fn a_closed_output_ends_the_stream_without_a_failure_though_the_input_never_ends() {
    let (mut feed, stdin) = pipe();
    let (stdout, results) = pipe();
    drop(results);
    feed.write_all(b"1\n").unwrap();
    let outcome = crate::run(echo(), lines(2), stdin, stdout).await;
    assert!(matches!(outcome, Ok(JobOutcome::OutputClosed)), "{outcome:?}");
    assert_eq!(outcome.unwrap().exit_code(), 0);
}

#[tokio::test]
async fn an_output_that_fails_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let error = crate::run(echo(), lines(1), io::Cursor::new("1\n"), Full).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("failed to write stdout", 74));
}

#[tokio::test]
async fn an_input_that_fails_is_an_error_after_the_results_before_it() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("unplugged"))
        }
    }
    let (stdout, mut results) = pipe();
    let error = crate::run(echo(), lines(1), io::Cursor::new("1\n2").chain(Failing), stdout).await.unwrap_err();
    assert_eq!((error.to_string().as_str(), error.exit_code()), ("failed to read stdin", 74));
    let mut output = String::new();
    results.read_to_string(&mut output).unwrap();
    assert_eq!(output, "1\n2\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_is_ahead_of_writing_by_a_bounded_number_of_bytes() {
    let (read, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let line = b"\"a line of some forty bytes, line feed too\"\n";
    let stdin = Counted { line, left: 32 << 20, read: Arc::clone(&read) };
    let stdout = Ahead { read, written: 0, most: Arc::clone(&most) };
    let (events, failures, _) = summary(crate::run(echo(), lines(2), stdin, stdout).await);
    assert_eq!((events, failures), ((32 << 20) / line.len() as u64 + 1, 0));
    // The bytes of one write, those that wait for it, and the chunks of the input.
    assert!(most.load(Ordering::Relaxed) < 18 << 20, "{most:?} bytes ahead");
}

#[tokio::test]
async fn a_line_without_end_is_one_error() {
    let stdin = Counted { line: &[b'1'; 4096], left: 256 << 20, read: Arc::default() };
    let (stdout, mut results) = pipe();
    let outcome = crate::run(echo(), lines(2), stdin, stdout).await;
    assert_eq!(summary(outcome), (1, 1, Some(65)));
    let mut output = String::new();
    results.read_to_string(&mut output).unwrap();
    assert!(output.starts_with(r#"{"error":{"kind":"payload_too_large""#), "{output}");
}

#[tokio::test]
#[should_panic(expected = "a bug of the invoker's")]
async fn a_panic_of_the_invoker_is_not_swallowed() {
    let broken = Arc::new(invoker_fn(async |invocation: Invocation| match text(&invocation).as_str() {
        "2" => panic!("a bug of the invoker's"),
        ok => json(ok.to_owned(), invocation),
    }));
    drop(run(broken, lines(2), "1\n2\n3\n").await);
}
