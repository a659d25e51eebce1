//! The services of the nodes on which cases run.

/// The environment variables of a node with services for the cases, and with a variable that settings refer to.
pub(crate) const NODE: [(&str, &str); 2] = [
    ("NEBULA_SERVICES", r#"{"state":{"keyvalue":"memory:"},"pictures":{"blobs":"memory:"}}"#),
    ("TEST_TOKEN", "a token"),
];
