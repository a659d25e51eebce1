//! Checks the rules of HTTP that Wasmtime does not check: a response has a final status, its body is as long as its
//! `content-length` says, and it has no body if its status allows none.

use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH, response::Parts};
use wasmtime_wasi_http::Error;

use crate::call::{ErrorKind, InvokeError, ReportHandle};

/// The rules that a response's head sets for its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framing {
    /// How many bytes the body must have.
    length: Option<u64>,
    /// Whether the body is not sent: the response to HEAD has none, and some statuses allow none.
    pub(super) is_unread: bool,
}

impl Framing {
    /// Reads the framing from a response's head, and removes a `content-length` that its status does not allow.
    /// `is_head` says whether the request's method is HEAD.
    ///
    /// # Errors
    /// [`ErrorKind::GuestFault`] if the head breaks a rule of HTTP.
    pub(super) fn take(head: &mut Parts, is_head: bool) -> Result<Self, InvokeError> {
        let status = head.status;
        check_status(status)?;
        let announced = content_length(&head.headers)?;
        let is_unread = is_head || !allows_body(status);
        // In both cases, the field says how long the body of the response to a GET would be (RFC 9110, section 8.6).
        let is_exempt = is_head || status == StatusCode::NOT_MODIFIED;
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
            // The same section: a 204 must not have the field. In a 205, it could only be 0.
            head.headers.remove(CONTENT_LENGTH);
        }
        Ok(Self { length: announced.filter(|_| !is_exempt), is_unread })
    }

    /// Whether a body of `written` bytes has exactly the length that it must have.
    pub(super) fn is_full(self, written: u64) -> bool {
        self.length == Some(written)
    }

    /// Checks a body of `written` bytes that goes on.
    pub(super) fn check_part(self, written: u64) -> Result<(), InvokeError> {
        self.length.filter(|length| written > *length).map_or(Ok(()), |length| Err(wrong_length(length, "longer")))
    }

    /// Checks a body of `written` bytes that has ended.
    pub(super) fn check_whole(self, written: u64) -> Result<(), InvokeError> {
        self.check_part(written)?;
        self.length.filter(|length| written < *length).map_or(Ok(()), |length| Err(wrong_length(length, "shorter")))
    }

    /// The guest's fault if Wasmtime ends a body of `written` bytes with `error` because its length is wrong. Wasmtime
    /// compares lengths, too: it keeps excess bytes back, and ends a short body with an error.
    ///
    /// If the guest `has_failed`, a short body is no fault, because the guest could not write the rest.
    pub(super) fn failure(self, error: &Error, written: u64, has_failed: bool) -> Option<InvokeError> {
        match error {
            Error::HttpResponseBodySize(Some(tried)) if has_failed => self.check_part(*tried).err(),
            Error::HttpResponseBodySize(Some(tried)) => self.check_whole(*tried).err(),
            // The guest ended the body, or gave it up.
            Error::HttpProtocolError => self.check_whole(written).err(),
            _ => None,
        }
    }

    /// Whether to ignore `error`: it is about the length of a body that is not sent and whose length does not count.
    pub(super) fn ignores(self, error: &Error) -> bool {
        let is_of_length = matches!(error, Error::HttpResponseBodySize(_) | Error::HttpProtocolError);
        self.is_unread && self.length.is_none() && is_of_length
    }
}

/// Logs that a guest broke the rules of HTTP. The log says it because the client may have gone, or may already have the
/// head of the response.
pub(super) fn logged(failure: InvokeError, report: &ReportHandle) -> InvokeError {
    let id = report.update(|report| report.id.clone());
    tracing::warn!(%id, "{failure}");
    failure
}

/// A status below 200 announces a further response, and one above 599 has no meaning (RFC 9110, section 15).
fn check_status(status: StatusCode) -> Result<(), InvokeError> {
    if (200..=599).contains(&status.as_u16()) {
        return Ok(());
    }
    Err(fault(format!("the function answered with the status {}; expected one from 200 to 599", status.as_u16())))
}

/// RFC 9110, section 6.4.1, and section 15.3.6 for 205.
fn allows_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, InvokeError> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()).filter(|_| values.next().is_none()) {
        Some(length) => Ok(Some(length)),
        None => Err(fault("the function set a content-length that is not one number".to_owned())),
    }
}

fn wrong_length(length: u64, how: &str) -> InvokeError {
    fault(format!(
        "the function set content-length to {length}, and its body is {how}; set the body's own length, or none"
    ))
}

fn fault(detail: String) -> InvokeError {
    InvokeError::new(ErrorKind::GuestFault, detail)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn framing(status: u16, lengths: &[&'static str], is_head: bool) -> Result<(Framing, bool), String> {
        let (mut head, ()) = http::Response::builder().status(status).body(()).unwrap().into_parts();
        for length in lengths {
            head.headers.append(CONTENT_LENGTH, HeaderValue::from_static(length));
        }
        let framing = Framing::take(&mut head, is_head).map_err(|error| error.to_string())?;
        Ok((framing, head.headers.contains_key(CONTENT_LENGTH)))
    }

    #[test]
    fn the_status_and_the_method_decide_whether_there_is_a_body_and_whether_its_length_counts() {
        let (checked, exempt) = (Some(9), None);
        let cases = [
            ((200, false), (checked, false, true)),
            ((599, false), (checked, false, true)),
            ((200, true), (exempt, true, true)),
            ((204, false), (checked, true, false)),
            ((204, true), (exempt, true, false)),
            ((205, false), (checked, true, false)),
            ((304, false), (exempt, true, true)),
        ];
        for ((status, is_head), (length, is_unread, is_kept)) in cases {
            let expected = Ok((Framing { length, is_unread }, is_kept));
            assert_eq!(framing(status, &["9"], is_head), expected, "{status} {is_head}");
        }
    }

    #[test]
    fn an_error_names_a_status_that_is_not_final_and_a_length_that_is_not_a_number() {
        for status in [100, 101, 103, 199, 600, 999] {
            let expected = format!("the function answered with the status {status}; expected one from 200 to 599");
            assert_eq!(framing(status, &[], false), Err(expected));
        }
        for lengths in [&["a"][..], &["+1"], &["-1"], &[""], &["1", "1"], &["1", "2"], &["99999999999999999999"]] {
            let expected = "the function set a content-length that is not one number".to_owned();
            assert_eq!(framing(200, lengths, false), Err(expected), "{lengths:?}");
        }
    }
}
