//! A page as a whole.

use std::fmt::Display;

use axum::response::{Html, IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderName, HeaderValue,
    header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use nebula_runtime::Digest;

use super::escaped::Escaped;

/// The style that all pages have.
const STYLE: &str = include_str!("style.css");

/// A picture of a few bytes, in the page itself.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E\
                    %3Ccircle cx='4' cy='4' r='3' fill='%236b5fe0'/%3E%3C/svg%3E";

/// The scripts that all pages have. Each is a part of one script, so that the parts know each other.
const SCRIPTS: [&str; 3] = [include_str!("page.js"), include_str!("units.js"), include_str!("plot.js")];

/// The style and the script of a page for people. Both are inline, so that a page is one request.
///
/// - The content security policy names style and script by their digests, and allows no other, and only requests to the
///   page's own server. So nothing that is shown on the page can run code.
pub struct Document {
    style: String,
    script: String,
    policy: String,
}

impl Document {
    /// A document with the shared style and script, and then these.
    #[must_use]
    pub fn new(styles: &[&str], scripts: &[&str]) -> Self {
        let style = [&[STYLE], styles].concat().concat();
        let script = format!("\"use strict\";\n{}", [&SCRIPTS, scripts].concat().concat());
        let policy = policy(&style, &script);
        Self { style, script, policy }
    }

    /// The page with this title and these elements, as a response. The elements have to be escaped.
    pub fn response(&self, title: impl Display, body: impl Display) -> Response {
        let Self { style, script, policy } = self;
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"{ICON}\">\n<title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}<script>{script}</script>\n</body>\n</html>\n",
            Escaped(title)
        );
        (headers(policy), Html(page)).into_response()
    }
}

fn headers(policy: &str) -> [(HeaderName, HeaderValue); 3] {
    // The policy is made of base64 and of text without special characters.
    let policy = HeaderValue::from_str(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"));
    [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}

/// `blob:` is an answer that the page shows as a picture, as sound or as a film, and `data:` is the icon.
fn policy(style: &str, script: &str) -> String {
    let digest = |text: &str| STANDARD.encode(Digest::of(text.as_bytes()).as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src blob: data:; \
         media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        digest(style),
        digest(script)
    )
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn the_policy_names_the_style_and_the_script_that_the_page_has() {
        let response = Document::new(&["p { margin: 0 }"], &["run();"]).response("a < b", "<p>hello</p>\n");
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let page = String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
        for tag in ["style", "script"] {
            let (_, begun) = page.split_once(&format!("<{tag}>")).unwrap();
            let (text, _) = begun.split_once(&format!("</{tag}>")).unwrap();
            let digest = STANDARD.encode(Digest::of(text.as_bytes()).as_bytes());
            assert!(policy.contains(&format!("{tag}-src 'sha256-{digest}'")), "{policy}");
        }
        assert!(page.contains("<title>a &lt; b</title>") && page.contains("<body>\n<p>hello</p>\n"), "{page}");
    }
}
