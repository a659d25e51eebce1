//! The configuration, from environment variables.

use std::{fmt, str::FromStr, time::Duration};

use http::Uri;
use nebula_runtime::FunctionRef;

/// The configuration of an environment. It is read once, at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The function that handles events. HTTP requests reach it at `/`, and every function of the package at
    /// `/api/{function}`. By default, it is the only function of the package.
    pub function: Option<FunctionRef>,
    /// How answers to HTTP requests are sent.
    pub invoke_mode: InvokeMode,
    /// How long before the invocation's deadline a function is stopped. So its failure can still be reported: Lambda
    /// ends the whole environment at the deadline.
    pub deadline_margin: Duration,
    /// The log.
    pub log: LogConfig,
    /// The address of the Lambda Runtime API.
    pub(crate) runtime_api: Uri,
}

/// How answers to HTTP requests are sent, in the words of AWS. It has to match the configuration of the function URL or
/// the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvokeMode {
    /// Whole, in JSON.
    #[default]
    Buffered,
    /// In parts, while they are written.
    ResponseStream,
}

/// The log's filter and format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A level, or levels of parts, such as `warn,nebula=debug`.
    pub filter: String,
    /// The format of a line.
    pub format: LogFormat,
}

/// The format of a line of the log, in the words of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// An environment variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// A variable that Lambda sets is missing: Lambda has not started this process.
    #[error("{0} is not set: this program is started by AWS Lambda, or by an emulator such as cargo lambda")]
    Missing(&'static str),
    /// The value is wrong.
    #[error("invalid {name} {value:?}: {problem}")]
    Value {
        /// The variable.
        name: &'static str,
        /// The value.
        value: String,
        /// What is wrong with the value.
        problem: String,
    },
}

const FUNCTION: &str = "NEBULA_FUNCTION";
const INVOKE_MODE: &str = "NEBULA_INVOKE_MODE";
const DEADLINE_MARGIN: &str = "NEBULA_DEADLINE_MARGIN";
const LOG: &str = "NEBULA_LOG";
const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
const MEMORY_SIZE: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// Variables that the Lambda runtime reads itself. It panics without them.
const OF_LAMBDA: [&str; 2] = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"];

impl Config {
    /// Reads the variables with `var`. An empty variable counts as not set.
    ///
    /// | variable | value | if not set |
    /// |---|---|---|
    /// | `NEBULA_FUNCTION` | `treats`, `calc:add@prod` | the package's only function |
    /// | `NEBULA_INVOKE_MODE` | `BUFFERED` or `RESPONSE_STREAM` | `BUFFERED` |
    /// | `NEBULA_DEADLINE_MARGIN` | a time such as `500ms` | `250ms` |
    /// | `NEBULA_LOG` | a filter such as `warn` or `warn,nebula=debug` | `warn,nebula=info` |
    /// | `AWS_LAMBDA_LOG_FORMAT` | `Text` or `JSON`; Lambda sets it | `Text` |
    ///
    /// # Errors
    /// The first variable that cannot be used, or that Lambda should set and that is missing.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidConfig> {
        let var = |name| var(name).filter(|value| !value.is_empty());
        let required = |name| var(name).ok_or(InvalidConfig::Missing(name));
        for name in OF_LAMBDA {
            required(name)?;
        }
        parse::<i32>(MEMORY_SIZE, &required(MEMORY_SIZE)?)?;
        let parsed = |name| var(name).map(|value| parse(name, &value)).transpose();
        let margin = var(DEADLINE_MARGIN)
            .map(|value| humantime::parse_duration(&value).map_err(|error| invalid(DEADLINE_MARGIN, &value, error)));
        let filter = var(LOG).unwrap_or_else(|| "warn,nebula=info".to_owned());
        let format = var(LOG_FORMAT).map(|value| parse(LOG_FORMAT, &value)).transpose()?;
        Ok(Self {
            function: var(FUNCTION).map(|value| parse(FUNCTION, &value)).transpose()?,
            invoke_mode: parsed(INVOKE_MODE)?.unwrap_or_default(),
            deadline_margin: margin.transpose()?.unwrap_or(Duration::from_millis(250)),
            log: LogConfig { filter, format: format.unwrap_or_default() },
            runtime_api: parse(RUNTIME_API, &required(RUNTIME_API)?)?,
        })
    }
}

impl LogConfig {
    /// The error for an invalid filter.
    pub(crate) fn invalid_filter(&self, problem: impl fmt::Display) -> InvalidConfig {
        invalid(LOG, &self.filter, problem)
    }
}

fn parse<T: FromStr<Err: fmt::Display>>(name: &'static str, value: &str) -> Result<T, InvalidConfig> {
    value.parse().map_err(|problem| invalid(name, value, problem))
}

fn invalid(name: &'static str, value: &str, problem: impl fmt::Display) -> InvalidConfig {
    InvalidConfig::Value { name, value: value.to_owned(), problem: problem.to_string() }
}

impl FromStr for InvokeMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "BUFFERED" => Ok(Self::Buffered),
            "RESPONSE_STREAM" => Ok(Self::ResponseStream),
            _ => Err("expected BUFFERED or RESPONSE_STREAM"),
        }
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Text" => Ok(Self::Text),
            "JSON" => Ok(Self::Json),
            _ => Err("expected Text or JSON"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_AWS: [(&str, &str); 4] = [
        ("AWS_LAMBDA_FUNCTION_NAME", "shop"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
    ];

    /// The configuration from these variables. If a variable is there twice, the later value is used.
    fn read(vars: &[(&str, &str)]) -> Result<Config, String> {
        let find = |name: &str| {
            OF_AWS.iter().chain(vars).rev().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Config::from_vars(find).map_err(|error| error.to_string())
    }

    fn config() -> Config {
        Config {
            function: None,
            invoke_mode: InvokeMode::Buffered,
            deadline_margin: Duration::from_millis(250),
            log: LogConfig { filter: "warn,nebula=info".to_owned(), format: LogFormat::Text },
            runtime_api: Uri::from_static("127.0.0.1:9001"),
        }
    }

    #[test]
    fn the_variables_that_lambda_sets_suffice() {
        assert_eq!(read(&[]), Ok(config()));
        assert_eq!(read(&[("NEBULA_FUNCTION", ""), ("NEBULA_INVOKE_MODE", "")]), Ok(config()));
    }

    #[test]
    fn every_variable_reaches_the_configuration() {
        let vars = [
            ("NEBULA_FUNCTION", "calc:add@prod"),
            ("NEBULA_INVOKE_MODE", "RESPONSE_STREAM"),
            ("NEBULA_DEADLINE_MARGIN", "1s 500ms"),
            ("NEBULA_LOG", "debug"),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
            ("AWS_LAMBDA_RUNTIME_API", "http://127.0.0.1:9001/.rt"),
        ];
        let expected = Config {
            function: Some("calc:add@prod".parse().unwrap()),
            invoke_mode: InvokeMode::ResponseStream,
            deadline_margin: Duration::from_millis(1_500),
            log: LogConfig { filter: "debug".to_owned(), format: LogFormat::Json },
            runtime_api: Uri::from_static("http://127.0.0.1:9001/.rt"),
        };
        assert_eq!(read(&vars), Ok(expected));
    }

    #[test]
    fn the_error_for_a_wrong_value_names_the_variable_and_what_is_expected() {
        let started = "this program is started by AWS Lambda, or by an emulator such as cargo lambda";
        let cases = [
            (("NEBULA_INVOKE_MODE", "stream"), "\"stream\": expected BUFFERED or RESPONSE_STREAM".to_owned()),
            (("NEBULA_DEADLINE_MARGIN", "soon"), "\"soon\": expected number at 0".to_owned()),
            (("AWS_LAMBDA_LOG_FORMAT", "json"), "\"json\": expected Text or JSON".to_owned()),
            (("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "?"), "\"?\": invalid digit found in string".to_owned()),
            (("AWS_LAMBDA_RUNTIME_API", "a b"), "\"a b\": invalid uri character".to_owned()),
        ];
        for ((name, value), problem) in cases {
            assert_eq!(read(&[(name, value)]), Err(format!("invalid {name} {problem}")));
        }
        let name = "invalid function name \"Treats\": expected 1 to 63 of a-z, 0-9 and -, starting with a letter";
        assert_eq!(read(&[("NEBULA_FUNCTION", "Treats")]), Err(format!("invalid NEBULA_FUNCTION \"Treats\": {name}")));
        for (name, _) in OF_AWS {
            assert_eq!(read(&[(name, "")]), Err(format!("{name} is not set: {started}")));
        }
    }
}
