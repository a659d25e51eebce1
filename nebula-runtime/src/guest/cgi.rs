//! Describes an HTTP request to a command, as the meta-variables of CGI/1.1 (RFC 3875, section 4.1).

use http::{HeaderName, header};

use crate::call::{Body, Event, Input, InvocationId};

/// The environment variables that describe the request to a command. An event that is not an HTTP request adds none:
/// then a program that is granted no variables has an empty environment.
pub(super) fn variables(event: &Event, id: &InvocationId) -> Variables {
    match event.input() {
        Input::Http(request) => of_request(request, event, id),
        Input::Payload { .. } => Variables::new(),
    }
}

type Variables = Vec<(String, String)>;

fn of_request(request: &http::Request<Body>, event: &Event, id: &InvocationId) -> Variables {
    let mut variables = Variables::new();
    let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
    set("NEBULA_INVOCATION_ID", id.to_string());
    set("GATEWAY_INTERFACE", "CGI/1.1".to_owned());
    set("SERVER_PROTOCOL", format!("{:?}", request.version()));
    set("REQUEST_METHOD", request.method().to_string());
    set("SCRIPT_NAME", event.mount().to_owned());
    set("PATH_INFO", path_info(event.arguments()));
    set("QUERY_STRING", request.uri().query().unwrap_or_default().to_owned());
    add_fields(&mut variables, request.headers());
    variables
}

fn add_fields(variables: &mut Variables, fields: &http::HeaderMap) {
    for name in fields.keys() {
        let values: Vec<_> = fields.get_all(name).iter().map(text).collect();
        if let Some(variable) = variable(name) {
            // Section 4.1.18: several fields of one name become one value.
            variables.push((variable, values.join(if name == header::COOKIE { "; " } else { ", " })));
        }
    }
}

/// Section 4.1.5: the decoded path after the function's name.
fn path_info(arguments: &[String]) -> String {
    arguments.iter().fold(String::new(), |path, argument| path + "/" + argument)
}

fn variable(name: &HeaderName) -> Option<String> {
    match *name {
        header::CONTENT_TYPE => Some("CONTENT_TYPE".to_owned()),
        header::CONTENT_LENGTH => Some("CONTENT_LENGTH".to_owned()),
        // Left out, because programs use HTTP_PROXY as the proxy of their own requests (CVE-2016-5385).
        _ if name == "proxy" => None,
        _ => Some(format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"))),
    }
}

fn text(value: &http::HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
