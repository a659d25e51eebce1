//! `nebula token`.

use std::{collections::BTreeSet, time::Duration};

use clap::{Args, Subcommand};
use nebula_admin::{FunctionPattern, NewToken, Right, Token as Known, TokenName};
use nebula_local::ExitCode;
use nebula_runtime::Timestamp;
use serde::Serialize;

use crate::{failure::Failure, places::TokenOptions, print, values::Timeout};

const EXAMPLES: &str = "\
Examples:
  nebula token create ci --rights read,publish,alias --functions 'shop-*' --expires 90d
  nebula token list
  nebula token revoke ci

Run it on the machine of the server, as its user. A running server sees a change
at once. The token is shown once: the file has only its SHA-256.";

const RIGHTS: &str = "\
Rights:
  read     list functions, and look at their versions, aliases and history. A
           configuration may have secrets
  publish  publish versions
  alias    move, remove and roll back aliases
  remove   remove versions and functions
  data     read and change what functions keep in services (nebula kv, nebula
           blobs), and, with publish, publish functions that are granted services

A token with --functions does not reach services directly: what is there belongs
to no single function. With publish and data, it can publish a function that
reaches them.

Examples:
  nebula token create ci --rights read,publish,alias --functions 'shop-*' --expires 90d
  nebula token create backup --rights data";

/// Makes, lists and revokes the tokens of the admin API (`nebula serve --admin`)
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Token {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Makes a token and prints it
#[derive(Debug, Args)]
#[command(after_help = RIGHTS)]
struct Create {
    /// The name of the token. The history of functions has it
    name: TokenName,
    /// What the token allows: read, publish, alias (with rollback), remove, data
    #[arg(long, value_delimiter = ',', required = true, value_name = "RIGHT,…")]
    rights: Vec<Right>,
    /// The functions that the token is for: names, or beginnings of names such as 'shop-*' [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    functions: Vec<FunctionPattern>,
    /// How long the token is valid: 90d, 12h [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    expires: Option<Timeout>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: TokenOptions,
}

/// Lists the tokens
#[derive(Debug, Args)]
struct List {
    /// Print a JSON array of the tokens
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: TokenOptions,
}

/// Takes a token away
#[derive(Debug, Args)]
struct Revoke {
    /// The name of the token
    name: TokenName,
    #[command(flatten)]
    file: TokenOptions,
}

impl Token {
    /// Changes or lists the tokens.
    pub(crate) fn execute(self) -> Result<u8, Failure> {
        match self.action {
            Action::Create(create) => create.execute(),
            Action::List(list) => list.execute(),
            Action::Revoke(revoke) => revoke.execute(),
        }
    }
}

/// A token as it is printed: without the digest of its secret.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a TokenName,
    /// The token itself, where it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    rights: &'a BTreeSet<Right>,
    functions: &'a BTreeSet<FunctionPattern>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl Create {
    fn execute(self) -> Result<u8, Failure> {
        let file = self.file.file()?;
        let expires_at = self.expires.map(|Timeout(time)| after(time));
        let (rights, functions) = (self.rights.into_iter().collect(), self.functions.into_iter().collect());
        let new = NewToken { name: self.name, rights, functions, expires_at };
        let secret = file.create(new.clone())?;
        if self.json {
            let NewToken { name, rights, functions, expires_at } = &new;
            let token = Some(secret.reveal());
            print::json(&Shown { name, token, rights, functions, created_at: None, expires_at: *expires_at })?;
        } else {
            print::result(&format!("{}\n", secret.reveal()))?;
            print::note(format_args!("this is the token {}: it is not shown again", new.name));
        }
        Ok(ExitCode::OK)
    }
}

impl List {
    fn execute(self) -> Result<u8, Failure> {
        let file = self.file.file()?;
        let tokens = file.tokens()?;
        if self.json {
            print::json(&tokens.iter().map(shown).collect::<Vec<_>>())?;
        } else if tokens.is_empty() {
            print::note(format_args!("no tokens in {}; nebula token create NAME makes one", file.path().display()));
        } else {
            let header = ["NAME", "RIGHTS", "FUNCTIONS", "CREATED", "EXPIRES"].map(str::to_owned);
            let now = Timestamp::now();
            let rows: Vec<_> = std::iter::once(header).chain(tokens.iter().map(|token| row(token, now))).collect();
            print::result(&print::table(&rows))?;
        }
        Ok(ExitCode::OK)
    }
}

impl Revoke {
    fn execute(self) -> Result<u8, Failure> {
        self.file.file()?.revoke(&self.name)?;
        print::result(&format!("revoked {}\n", self.name))?;
        Ok(ExitCode::OK)
    }
}

/// The moment after this time from now.
fn after(time: Duration) -> Timestamp {
    Timestamp::from_unix(Timestamp::now().as_unix().saturating_add(time.as_secs().max(1)))
}

fn shown(token: &Known) -> Shown<'_> {
    let Known { name, rights, functions, created_at, expires_at, .. } = token;
    Shown { name, token: None, rights, functions, created_at: Some(*created_at), expires_at: *expires_at }
}

fn row(token: &Known, now: Timestamp) -> [String; 5] {
    let functions = match token.functions.len() {
        0 => "all".to_owned(),
        _ => listed(&token.functions),
    };
    let expires = match token.expires_at {
        None => "never".to_owned(),
        Some(end) if token.has_expired(now) => format!("{end}, has expired"),
        Some(end) => end.to_string(),
    };
    [token.name.to_string(), listed(&token.rights), functions, token.created_at.to_string(), expires]
}

fn listed<T: ToString>(items: &BTreeSet<T>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
