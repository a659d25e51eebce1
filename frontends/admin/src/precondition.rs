//! The conditions of a request, and the tag of an answer (RFC 9110, sections 8.8.3 and 13.1).

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use nebula_runtime::{Digest, Precondition};

use crate::problem::{Kind, Problem};

/// What has to hold of a function, according to the header of a request that changes it.
pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Precondition>, Problem> {
    match (text(headers, &IF_MATCH)?, text(headers, &IF_NONE_MATCH)?) {
        (None, None) => Ok(None),
        (Some(text), None) if text == "*" => Ok(Some(Precondition::Published)),
        (Some(text), None) => Ok(Some(Precondition::Revision(tags(&text)?))),
        (None, Some(text)) if text == "*" => Ok(Some(Precondition::Unpublished)),
        (None, Some(_)) => Err(malformed("If-None-Match of a change can only be *")),
        (Some(_), Some(_)) => Err(malformed("a change has If-Match or If-None-Match, and not both")),
    }
}

/// Whether a reader has this revision already.
pub(crate) fn is_known(headers: &HeaderMap, revision: Option<Digest>) -> Result<bool, Problem> {
    let Some(text) = text(headers, &IF_NONE_MATCH)? else { return Ok(false) };
    Ok(text == "*" || tags(&text)?.iter().any(|tag| Some(*tag) == revision))
}

/// The tag of a revision, as a header field has it.
pub(crate) fn tag(revision: Digest) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{}\"", revision.hex())).ok()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Problem> {
    let lines: Result<Vec<_>, _> = headers.get_all(name).iter().map(HeaderValue::to_str).collect();
    let lines = lines.map_err(|_| malformed(format!("{name} is not in ASCII")))?;
    Ok((!lines.is_empty()).then(|| lines.join(",").trim().to_owned()))
}

/// The revisions in a list of tags. A tag that no revision has is left out, and so is a weak one, which never matches
/// strongly: such a list may match nothing.
fn tags(list: &str) -> Result<Vec<Digest>, Problem> {
    let mut revisions = Vec::new();
    for tag in list.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag);
        let quoted = opaque.strip_prefix('"').and_then(|opaque| opaque.strip_suffix('"'));
        let text = quoted.ok_or_else(|| malformed(format!("{tag} is no entity tag: it must be in quotation marks")))?;
        revisions.extend(format!("sha256:{text}").parse::<Digest>().ok().filter(|_| opaque == tag));
    }
    Ok(revisions)
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new(Kind::Malformed, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Field<'a> = (HeaderName, &'a str);
    type Expected<'a> = Result<Option<Precondition>, &'a str>;

    #[test]
    fn headers_become_conditions() {
        let [one, two] = [b"1", b"2"].map(|bytes| Digest::of(bytes));
        let (first, second) = (tag(one).unwrap(), tag(two).unwrap());
        let both = format!("{}, W/{}, \"x\"", first.to_str().unwrap(), second.to_str().unwrap());
        let revisions = |revisions: &[Digest]| Ok(Some(Precondition::Revision(revisions.to_vec())));
        let cases: [(&[Field], Expected); 10] = [
            (&[], Ok(None)),
            (&[(IF_MATCH, "*")], Ok(Some(Precondition::Published))),
            (&[(IF_NONE_MATCH, "*")], Ok(Some(Precondition::Unpublished))),
            (&[(IF_MATCH, first.to_str().unwrap())], revisions(&[one])),
            (&[(IF_MATCH, first.to_str().unwrap()), (IF_MATCH, second.to_str().unwrap())], revisions(&[one, two])),
            (&[(IF_MATCH, &both)], revisions(&[one])),
            (&[(IF_MATCH, "\"\"")], revisions(&[])),
            (&[(IF_MATCH, "abc")], Err("abc is no entity tag: it must be in quotation marks")),
            (&[(IF_NONE_MATCH, "\"a\"")], Err("If-None-Match of a change can only be *")),
            (&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")], Err("a change has If-Match or If-None-Match, and not both")),
        ];
        for (fields, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, value.parse().unwrap());
            }
            let expected = expected.map_err(malformed);
            assert_eq!(of(&headers), expected, "{fields:?}");
        }
    }
}
