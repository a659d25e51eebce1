use std::os::unix::fs::PermissionsExt as _;

use nebula_runtime::Timestamp;

use super::*;
use crate::tokens::rights::Right;

fn new(name: &str) -> NewToken {
    NewToken {
        name: name.parse().unwrap(),
        rights: [Right::Publish].into(),
        functions: ["shop-*".parse().unwrap()].into(),
        expires_at: Some(Timestamp::from_unix(1)),
    }
}

#[test]
fn a_token_is_found_by_its_secret_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::at(folder.path().join("new folder/tokens.json"));
    assert_eq!(file.tokens().unwrap(), []);
    let secrets = ["a", "b", "c"].map(|name| file.create(new(name)).unwrap());
    let found = |secret: &Secret| Some(file.read().unwrap().find(secret.reveal())?.name.as_str().to_owned());
    assert_eq!(secrets.each_ref().map(found), ["a", "b", "c"].map(|name| Some(name.to_owned())));
    assert!(file.read().unwrap().find("nebula_").is_none() && file.read().unwrap().find("").is_none());
    file.revoke(&"b".parse().unwrap()).unwrap();
    assert_eq!(secrets.each_ref().map(found), [Some("a".to_owned()), None, Some("c".to_owned())]);
    assert!(matches!(file.revoke(&"b".parse().unwrap()), Err(TokenFileError::Unknown(_))));
    assert!(matches!(file.create(new("a")), Err(TokenFileError::Taken(_))));
    let text = fs::read_to_string(file.path()).unwrap();
    assert!(secrets.iter().all(|secret| !text.contains(secret.reveal()) && secret.reveal().len() == 50), "{text}");
    assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_many_processes_create_at_once_is_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::at(folder.path().join("tokens.json"));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let file = file.clone();
            scope.spawn(move || file.create(new(&format!("t{number}"))).unwrap());
        }
    });
    assert_eq!(file.tokens().unwrap().len(), 8);
}

#[test]
fn a_file_that_others_can_write_to_or_that_is_damaged_is_refused_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::at(folder.path().join("tokens.json"));
    file.create(new("ci")).unwrap();
    let good = fs::read_to_string(file.path()).unwrap();
    let mut twice: serde_json::Value = serde_json::from_str(&good).unwrap();
    let token = twice["tokens"][0].clone();
    twice["tokens"].as_array_mut().unwrap().push(token);
    let cases = [
        String::new(),
        good[..good.len() / 2].to_owned(),
        good.replace("\"publish\"", "\"everything\""),
        good.replace("shop-*", "*shop"),
        good.replace("\"format\": 1", "\"format\": 2"),
        good.replace("sha256:", "sha1:"),
        good.replace("\"name\": \"ci\"", "\"name\": \"c i\""),
        good.replacen('{', "{\"other\":1,", 1),
        twice.to_string(),
    ];
    for text in cases {
        fs::write(file.path(), &text).unwrap();
        let error = file.tokens().unwrap_err();
        assert!(matches!(error, TokenFileError::Malformed { .. }), "{text}: {error}");
        assert!(error.to_string().contains("tokens.json cannot be understood"), "{error}");
    }
    fs::write(file.path(), good).unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o620)).unwrap();
    let error = file.tokens().unwrap_err().to_string();
    assert!(error.contains("others can write to it: chmod 600 "), "{error}");
}
