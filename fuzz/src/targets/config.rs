//! Any text as a `nebula.toml`.

use nebula::test_kit::read_config;

/// Any text is a `nebula.toml`, or it is refused with one line that names a line of the text. The settings of a
/// function are the same after they were written into the store and read again.
pub fn config(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    match read_config(text) {
        Ok(functions) => {
            for config in functions {
                let stored = serde_json::to_vec(&config).unwrap();
                assert_eq!(serde_json::from_slice(&stored).ok(), Some(config));
            }
        }
        Err(message) => assert_names_a_line(text, &message),
    }
}

fn assert_names_a_line(text: &str, message: &str) {
    let (line, detail) = message.strip_prefix("nebula.toml:").and_then(|rest| rest.split_once(": ")).expect(message);
    assert!((1..=text.split('\n').count()).contains(&line.parse().expect(message)), "{message}");
    assert!(!detail.is_empty() && !detail.contains(['\n', '\r', '\x1b']), "{message:?}");
}
