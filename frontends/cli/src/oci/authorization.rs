//! What a registry wants to see before it answers: a token, or a user and a password.
//!
//! A registry that wants one says so in its first answer (RFC 9110, section 11.6.1). A token comes from the server that the
//! registry names (CNCF distribution, "Token Authentication Specification").

use std::sync::{Mutex, PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use http_auth::{ChallengeRef, parse_challenges};
use nebula_runtime::ByteSize;
use reqwest::{Client, Url};
use serde::Deserialize;

use super::{
    answer::{RequestError, failure, read},
    credentials::Credentials,
};
use crate::client::Progress;

/// The largest answer with a token.
const MAX_TOKEN: ByteSize = ByteSize::kib(256);

/// What the client may do in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Pull,
    Push,
}

/// Authorizes requests to one repository.
pub(super) struct Authorization {
    credentials: Option<Credentials>,
    /// What a token is asked for: `repository:team/shop:pull`.
    scope: String,
    /// The value of `Authorization`, once the registry has asked for it.
    header: Mutex<Option<HeaderValue>>,
}

impl Authorization {
    pub(super) fn new(credentials: Option<Credentials>, repository: &str, access: Access) -> Self {
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        Self { credentials, scope: format!("repository:{repository}:{actions}"), header: Mutex::default() }
    }

    /// The value of `Authorization` for the next request, if the registry has asked for it.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        self.header.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gets what a registry asks for in the headers of its answer. Returns whether there is something new to send.
    pub(super) async fn answer(
        &self,
        client: &Client,
        headers: &HeaderMap,
        progress: &Progress,
    ) -> Result<bool, RequestError> {
        let texts = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<_> = texts.filter_map(|text| parse_challenges(text).ok()).flatten().collect();
        let of_scheme = |scheme| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        let header = match (of_scheme("bearer"), of_scheme("basic"), &self.credentials) {
            (Some(challenge), ..) => Some(self.token(client, challenge, progress).await?),
            (None, Some(_), Some(credentials)) => Some(basic(credentials)?),
            _ => None,
        };
        let is_new = header.is_some() && header != self.header();
        *self.header.lock().unwrap_or_else(PoisonError::into_inner) = header;
        Ok(is_new)
    }

    /// Gets a token from the server that the challenge names.
    async fn token(
        &self,
        client: &Client,
        challenge: &ChallengeRef<'_>,
        progress: &Progress,
    ) -> Result<HeaderValue, RequestError> {
        let mut request = client.get(token_url(challenge, &self.scope)?);
        if let Some(credentials) = &self.credentials {
            request = request.header(AUTHORIZATION, basic(credentials)?);
        }
        let response = request.send().await?;
        if !response.status().is_success() {
            let (status, message) = failure(response).await;
            return Err(RequestError::NoToken { status, message });
        }
        let answer = read(response, MAX_TOKEN, progress).await?;
        let Answer { token, access_token } = serde_json::from_slice(&answer).map_err(|_| RequestError::NotAToken)?;
        let token = token.or(access_token).ok_or(RequestError::NotAToken)?;
        secret(format!("Bearer {token}"))
    }
}

/// The answer of a server of tokens. Those that follow OAuth 2 call the token by its name there.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

/// Where the token is that a challenge asks for.
fn token_url(challenge: &ChallengeRef<'_>, scope: &str) -> Result<Url, RequestError> {
    let parameter = |wanted: &str| {
        let found = challenge.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.to_unescaped())
    };
    let realm = parameter("realm").ok_or(RequestError::Challenge)?;
    let mut url: Url = realm.parse().map_err(|_| RequestError::Challenge)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RequestError::Challenge);
    }
    url.query_pairs_mut().append_pair("scope", scope);
    if let Some(service) = parameter("service") {
        url.query_pairs_mut().append_pair("service", &service);
    }
    Ok(url)
}

fn basic(Credentials { user, password }: &Credentials) -> Result<HeaderValue, RequestError> {
    secret(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn secret(text: String) -> Result<HeaderValue, RequestError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| RequestError::NotAToken)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(challenge: &str) -> Option<String> {
        let challenges = parse_challenges(challenge).ok()?;
        token_url(challenges.first()?, "repository:team/shop:pull").ok().map(String::from)
    }

    #[test]
    fn a_challenge_names_where_the_token_is() {
        let scope = "scope=repository%3Ateam%2Fshop%3Apull";
        let cases = [
            (
                r#"Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="x""#,
                Some(format!("https://auth.example.com/token?{scope}&service=registry.example.com")),
            ),
            (r#"bearer REALM="https://a.example.com/t?x=1""#, Some(format!("https://a.example.com/t?x=1&{scope}"))),
            (r#"Bearer service="registry""#, None),
            (r#"Bearer realm="/token""#, None),
            (r#"Bearer realm="data:text/plain,x""#, None),
        ];
        for (challenge, expected) in cases {
            assert_eq!(url(challenge), expected, "{challenge}");
        }
    }
}
