use http::HeaderValue;
use nebula_runtime::Digest;
use tokio::time::Instant;

use super::*;

const LIMITS: UploadLimits =
    UploadLimits { size: ByteSize(8), stall: Duration::from_secs(5), time: Duration::from_secs(20) };

fn headers(content_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))])
}

/// A body whose chunks come one after another, each after this time.
fn slow(chunk: &'static str, pause: Duration) -> Body {
    Body::from_stream(stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(chunk), ()))
    }))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_or_takes_too_long_or_is_too_large_is_refused() {
    let cases = [
        (slow("a", Duration::from_secs(6)), Kind::TooSlow, 5),
        (slow("a", Duration::from_secs(4)), Kind::TooSlow, 20),
        (slow("abc", Duration::ZERO), Kind::TooLarge, 0),
        (Body::from("123456789"), Kind::TooLarge, 0),
        (Body::from_stream(stream::once(ready(Err::<&str, _>(std::io::Error::other("cut"))))), Kind::BrokenOff, 0),
    ];
    for (body, kind, seconds) in cases {
        let began = Instant::now();
        let refused = receive(&HeaderMap::new(), body, LIMITS).await.unwrap_err();
        assert_eq!((refused.kind(), began.elapsed().as_secs()), (kind, seconds), "{refused:?}");
    }
    assert_eq!(receive(&HeaderMap::new(), Body::from("12345678"), LIMITS).await, Ok(Bytes::from("12345678")));
}

#[tokio::test]
async fn a_body_with_a_content_coding_is_refused() {
    let coded = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    assert_eq!(receive(&coded, Body::from("a"), LIMITS).await.unwrap_err().kind(), Kind::UnsupportedCoding);
}

#[tokio::test]
async fn a_module_alone_has_the_default_configuration() {
    let expected = Uploaded { module: Bytes::from("(module)"), config: FunctionConfig::default(), origin: None };
    for headers in [HeaderMap::new(), headers("application/wasm"), headers("application/x-www-form-urlencoded")] {
        assert_eq!(parts(&headers, Bytes::from("(module)")).await.as_ref(), Ok(&expected), "{headers:?}");
    }
}

#[tokio::test]
async fn the_parts_of_a_form_come_in_any_order_and_each_once() {
    let part =
        |name: &str, text: &str| format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let (module, config) = (part("module", "(module)"), part("configuration", r#"{"args":["-v"]}"#));
    let form = headers("multipart/form-data; boundary=B");
    let mut expected = Uploaded { module: Bytes::from("(module)"), config: FunctionConfig::default(), origin: None };
    expected.config.args = vec!["-v".to_owned()];
    for text in [format!("{module}{config}--B--\r\n"), format!("{config}{module}--B--\r\n")] {
        assert_eq!(parts(&form, text.into()).await.as_ref(), Ok(&expected));
    }
    let digest = Digest::of(b"");
    let origin = part("origin", &format!(r#"{{"reference":"oci://r.example.com/shop:1","digest":"{digest}"}}"#));
    expected.origin = Some(Origin::new("oci://r.example.com/shop:1", digest, None));
    assert_eq!(parts(&form, format!("{origin}{module}{config}--B--\r\n").into()).await.as_ref(), Ok(&expected));
    let cases = [
        (format!("{module}--B--\r\n"), Kind::Malformed, "the part configuration is missing"),
        (format!("{config}--B--\r\n"), Kind::Malformed, "the part module is missing"),
        (format!("{config}{module}{module}--B--\r\n"), Kind::Malformed, "the part module is there twice"),
        (format!("{config}{module}{}--B--\r\n", part("more", "")), Kind::Malformed, "unknown part \"more\""),
        (format!("{module}{}--B--\r\n", part("configuration", "{\"arg\":1}")), Kind::Invalid, "unknown field `arg`"),
        (format!("{config}{module}"), Kind::Malformed, "the multipart body cannot be read"),
    ];
    for (text, kind, detail) in cases {
        let refused = parts(&form, text.into()).await.unwrap_err();
        assert!(refused.kind() == kind && refused.detail().contains(detail), "{detail}: {refused:?}");
    }
    let refused = parts(&headers("multipart/form-data"), Bytes::new()).await.unwrap_err();
    assert_eq!(refused.detail(), "the multipart body has no boundary");
}
