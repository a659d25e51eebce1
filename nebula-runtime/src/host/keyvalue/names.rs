//! Keys as names that services allow.

/// The name of a key among letters, digits and `-_./`. Other bytes are written as `=` and two hexadecimal digits. So is
/// a dot or a slash at the beginning, a second slash after a slash, and a second dot after a dot or a slash: services
/// allow no empty parts, and none of dots only.
///
/// - A byte is written in the same way, whatever follows it: the names of all keys with a prefix begin with the name of
///   the prefix.
pub(super) fn name(key: &str) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];

    let mut name = String::with_capacity(key.len());
    let mut before = b'/';
    for byte in key.bytes() {
        let is_plain = match byte {
            b'/' => before != b'/',
            b'.' => before != b'/' && before != b'.',
            _ => byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_',
        };
        if is_plain {
            name.push(char::from(byte));
        } else {
            let digit = |number: u8| DIGITS.get(usize::from(number)).copied().unwrap_or_default();
            name.extend(['=', digit(byte >> 4), digit(byte & 15)]);
        }
        before = byte;
    }
    name
}

/// The key of a name; nothing if the name is not one that [`name()`] makes.
pub(super) fn key(name: &str) -> Option<String> {
    let mut key = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'=', [high, low, after @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                key.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
                rest = after;
            }
            _ => {
                key.push(*first);
                rest = after;
            }
        }
    }
    let key = String::from_utf8(key).ok()?;
    (self::name(&key) == name).then_some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_keys() {
        let cases = [
            ("counter", "counter"),
            ("shop/2026-11/a_b.c", "shop/2026-11/a_b.c"),
            (".", "=2E"),
            ("..", "=2E=2E"),
            ("/", "=2F"),
            ("a//b", "a/=2Fb"),
            ("a/../b", "a/=2E=2E/b"),
            ("a..b", "a.=2Eb"),
            ("a/", "a/"),
            ("a=b ü", "a=3Db=20=C3=BC"),
            ("*>", "=2A=3E"),
        ];
        for (key, expected) in cases {
            assert_eq!(name(key), expected, "{key:?}");
            assert_eq!(self::key(expected).as_deref(), Some(key), "{expected:?}");
        }
        for other in ["=61", "a=", "a b", "=2e", "=FF", "..", "=C3"] {
            assert_eq!(key(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_leads_back_to_its_key_and_begins_with_that_of_each_prefix(text in "[a./=ü*]{0,12}", more in "[a./ü]{0,4}") {
            prop_assert_eq!(key(&name(&text)), Some(text.clone()));
            let longer = name(&format!("{text}{more}"));
            prop_assert!(longer.starts_with(&name(&text)), "{}", longer);
        }
    }
}
