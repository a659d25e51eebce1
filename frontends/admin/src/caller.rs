//! Who sends a request, and what its token allows.

use std::net::IpAddr;

use http::{HeaderMap, header::AUTHORIZATION};
use nebula_runtime::{FunctionName, ServiceName, Timestamp};

use crate::{
    audit::{Attempt, Line},
    problem::{Kind, Problem},
    tokens::{Right, Token, TokenFileError, Tokens},
};

/// The holder of a valid token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    token: Token,
    peer: Option<IpAddr>,
}

impl Caller {
    /// The caller whose token a request has. An attempt without a valid token is noted in the audit.
    pub(crate) fn of(
        tokens: &Result<Tokens, TokenFileError>,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Self, Problem> {
        match recognised(tokens, headers) {
            Ok(token) => Ok(Self { token, peer }),
            Err((name, problem)) => {
                let token = name.unwrap_or_default();
                Attempt::begin(Line { token, peer, action: "authenticate", ..Line::default() }).end(Err(&problem));
                Err(problem)
            }
        }
    }

    /// The name of the token, for the history of functions.
    pub(crate) fn name(&self) -> String {
        self.token.name.to_string()
    }

    /// Whether the token is for this function.
    pub(crate) fn sees(&self, function: &FunctionName) -> bool {
        self.token.is_for(function)
    }

    /// What the audit says of an attempt of this caller.
    pub(crate) fn line(&self, action: &'static str, function: Option<&FunctionName>) -> Line {
        let (token, function) = (self.name(), function.cloned());
        Line { token, peer: self.peer, action, function, ..Line::default() }
    }

    /// Checks that the token allows something, with functions or with this one.
    pub(crate) fn may(&self, right: Right, function: Option<&FunctionName>) -> Result<(), Problem> {
        let name = &self.token.name;
        if !self.token.rights.contains(&right) {
            let rights: Vec<_> = self.token.rights.iter().map(|right| right.as_str()).collect();
            let has = rights.join(", ");
            let detail = format!("the token {name} does not have the right {right}: it has {has}");
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        match function.filter(|function| !self.sees(function)) {
            None => Ok(()),
            Some(function) => {
                let detail = format!("the token {name} is not for function {function}: it is for {}", self.functions());
                Err(Problem::new(Kind::Forbidden, detail))
            }
        }
    }

    /// As [`Caller::may`], to look at something. A refusal is noted in the audit.
    pub(crate) fn may_read(&self, function: Option<&FunctionName>) -> Result<(), Problem> {
        self.may(Right::Read, function).inspect_err(|problem| {
            Attempt::begin(self.line("read", function)).end(Err(problem));
        })
    }

    /// Checks that the token allows to read and write what functions keep in services. A token for some functions does
    /// not: what is in a service belongs to no function.
    pub(crate) fn may_use_services(&self) -> Result<(), Problem> {
        self.may(Right::Data, None)?;
        if self.token.is_for_all() {
            return Ok(());
        }
        let detail = format!(
            "the token {} is for functions {} only, and what is in a service belongs to no single function: a token for \
             all functions reads and changes it",
            self.token.name,
            self.functions()
        );
        Err(Problem::new(Kind::Forbidden, detail))
    }

    /// The same, to look at something. A refusal is noted in the audit.
    pub(crate) fn may_read_service(&self, service: &ServiceName) -> Result<(), Problem> {
        self.may_use_services().inspect_err(|problem| {
            let line = Line { service: Some(service.clone()), ..self.line("read", None) };
            Attempt::begin(line).end(Err(problem));
        })
    }

    fn functions(&self) -> String {
        self.token.functions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// The challenge for a client without a token.
const NO_TOKEN: &str = "Bearer";

/// The challenge for a client with an invalid token.
const INVALID_TOKEN: &str = r#"Bearer error="invalid_token""#;

/// The token of a request. The name of an expired token is returned with the failure.
fn recognised(
    tokens: &Result<Tokens, TokenFileError>,
    headers: &HeaderMap,
) -> Result<Token, (Option<String>, Problem)> {
    let tokens = tokens.as_ref().map_err(|_| {
        let detail = "the server's token file cannot be used, so that nobody is let in: its log says why";
        (None, Problem::new(Kind::Unavailable, detail))
    })?;
    let secret = bearer(headers).map_err(|problem| (None, problem))?;
    let token = tokens.find(secret).ok_or_else(|| {
        let detail = "the token is not known here: it was revoked, or it is of another server";
        (None, Problem::unauthorized(INVALID_TOKEN, detail))
    })?;
    match token.expires_at.filter(|_| token.has_expired(Timestamp::now())) {
        None => Ok(token.clone()),
        Some(end) => {
            let detail = format!("the token {} has expired at {end}: ask for another one", token.name);
            Err((Some(token.name.to_string()), Problem::unauthorized(INVALID_TOKEN, detail)))
        }
    }
}

/// The secret in `Authorization: Bearer SECRET` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || Problem::unauthorized(NO_TOKEN, "a token is needed: Authorization: Bearer TOKEN");
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return Err(missing()) };
    let (scheme, secret) = field.to_str().ok().and_then(|field| field.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(secret.trim_start()) } else { Err(missing()) }
}
