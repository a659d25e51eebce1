//! Who may do what.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::Admin;
use crate::faults::support::eventually;

const RIGHTS: [&str; 5] = ["read", "publish", "alias", "remove", "data"];

/// Requests, each with its body and the rights that it needs.
const REQUESTS: [(&str, &str, &[&str]); 15] = [
    ("GET /functions", "", &["read"]),
    ("GET /functions/scale", "", &["read"]),
    ("GET /functions/scale/versions", "", &["read"]),
    ("GET /functions/scale/versions/1", "", &["read"]),
    ("GET /functions/scale/aliases", "", &["read"]),
    ("GET /functions/scale/history", "", &["read"]),
    ("GET /functions/scale/diff?from=1&to=2", "", &["read"]),
    ("PUT /functions/scale", "(module)", &["publish"]),
    ("PUT /functions/scale?alias=prod", "(module)", &["publish", "alias"]),
    ("PUT /functions/scale/aliases/prod", r#"{"weights":{"1":1}}"#, &["alias"]),
    ("POST /functions/scale/rollback", r#"{"alias":"prod"}"#, &["alias"]),
    ("DELETE /functions/scale/aliases/prod", "", &["alias"]),
    ("DELETE /functions/scale/versions/1", "", &["remove"]),
    ("DELETE /functions/scale?force=true", "", &["remove", "alias"]),
    ("DELETE /functions/scale", "", &["remove"]),
];

#[test]
fn each_request_needs_its_rights_and_no_other_function_is_reached() {
    let admin = Admin::start();
    let of_others = admin.token("of-others", &["--rights", &RIGHTS.join(","), "--functions", "shop-*,cart"]);
    for (request, body, needed) in REQUESTS {
        for missing in needed {
            let rights: Vec<_> = RIGHTS.into_iter().filter(|right| right != missing).collect();
            let name = format!("without-{missing}");
            let _ = admin.nebula(&["token", "revoke", &name, "--tokens", "tokens.json"]);
            let token = admin.token(&name, &["--rights", &rights.join(",")]);
            let refused = admin.send(&token, request, &[], body);
            assert_eq!(refused.failure(), (403, "forbidden".to_owned()), "{request} without {missing}");
            let detail = format!("the token {name} does not have the right {missing}");
            assert!(refused.summary().1.contains(&detail), "{refused:?}");
        }
        let names_function = request.contains("/scale");
        let refused = admin.send(&of_others, request, &[], body);
        assert_eq!(refused.status == 403, names_function, "{request}: {refused:?}");
        assert!(!names_function || refused.summary().1.contains("it is for cart, shop-*"), "{refused:?}");
    }
    // With the rights that it needs, and no others, each request is found fit.
    let root = admin.root();
    admin.publish(&root, "scale", 1);
    admin.publish(&root, "scale", 2);
    for (number, (request, body, needed)) in REQUESTS.into_iter().enumerate() {
        let token = admin.token(&format!("only-{number}"), &["--rights", &needed.join(",")]);
        let response = admin.send(&token, request, &[], body);
        assert!(![401, 403].contains(&response.status), "{request}: {response:?}");
    }
    let refusals = admin.audit().into_iter().filter(|line| line[3] == "forbidden").count();
    assert!(refusals > REQUESTS.len(), "{refusals}");
}

#[test]
fn a_list_has_only_the_functions_that_a_token_is_for_in_pages() {
    let admin = Admin::start();
    let root = admin.root();
    for name in ["cart", "shop-a", "shop-b", "shop-c", "z"] {
        assert_eq!(admin.publish(&root, name, 1).status, 201, "{name}");
    }
    let token = admin.token("shop", &["--rights", "read", "--functions", "shop-*"]);
    let page = admin.send(&token, "GET /functions?limit=2", &[], "");
    assert_eq!(page.headers["link"], "</functions?after=shop-b&limit=2>; rel=\"next\"");
    let names = |line: &str| {
        let page = admin.json(&token, line);
        let names = page["functions"].as_array().unwrap().iter().map(|function| function["name"].as_str().unwrap());
        (names.map(str::to_owned).collect::<Vec<_>>(), page["next"].as_str().map(str::to_owned))
    };
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(names("GET /functions?limit=2"), (owned(&["shop-a", "shop-b"]), Some("shop-b".to_owned())));
    assert_eq!(names("GET /functions?after=shop-b&limit=2"), (owned(&["shop-c"]), None));
    let cases = ["?limit=0", "?limit=1001", "?limit=x", "?after=Shop", "?page=2"];
    for query in cases {
        let refused = admin.send(&token, &format!("GET /functions{query}"), &[], "");
        assert_eq!(refused.failure(), (400, "malformed".to_owned()), "{query}");
    }
}

#[test]
fn without_a_valid_token_nobody_is_let_in() {
    let admin = Admin::start();
    let lines = admin.server.log();
    assert!(lines.contains("nebula token create NAME --rights read,publish,alias makes a token"), "{lines}");
    let token = admin.token("ci", &["--rights", "read"]);
    let expired = admin.token("old", &["--rights", "read", "--expires", "1s"]);
    let cut = &token[..token.len() - 1];
    let get = |token: &str| admin.send(token, "GET /functions", &[], "");
    eventually("a token that has expired", || {
        let refused = get(&expired);
        (refused.status == 401)
            .then(|| assert!(refused.summary().1.contains("the token old has expired at"), "{refused:?}"))
    });
    assert_eq!(get(&token).status, 200);
    for (secret, challenge) in [("nebula_", "Bearer error=\"invalid_token\""), (cut, "Bearer error=\"invalid_token\"")]
    {
        let refused = get(secret);
        assert_eq!(
            (refused.failure(), &*refused.headers["www-authenticate"]),
            ((401, "unauthorized".to_owned()), challenge)
        );
    }
    let mut client = crate::faults::support::Client::connect(&admin.address).unwrap();
    client.get("/functions");
    let refused = client.response().unwrap();
    assert_eq!((refused.status, &*refused.headers["www-authenticate"]), (401, "Bearer"));
    // A route that is not there tells nobody so.
    client.get("/elsewhere");
    assert_eq!(client.response().unwrap().status, 401);
    for open in ["/healthz", "/openapi.json"] {
        client.get(open);
        assert_eq!(client.response().unwrap().status, 200, "{open}");
    }
    assert_eq!(admin.send(&token, "GET /elsewhere", &[], "").failure(), (404, "not_found".to_owned()));
    assert_eq!(admin.send(&token, "PATCH /functions", &[], "").failure(), (405, "method_not_allowed".to_owned()));
    let _ = admin.nebula(&["token", "revoke", "ci", "--tokens", "tokens.json"]).expect_success();
    assert_eq!(get(&token).failure(), (401, "unauthorized".to_owned()), "the token is revoked");
    let log = admin.server.log();
    assert!(!log.contains("nebula_") || !log.contains(&token[7..]), "no secret is in the log");
}

#[test]
fn a_damaged_token_file_lets_nobody_in_until_it_is_repaired() {
    let admin = Admin::start();
    let (token, path) = (admin.root(), admin.project.join("tokens.json"));
    let good = fs::read(&path).unwrap();
    let get = || admin.send(&token, "GET /functions", &[], "");
    assert_eq!(get().status, 200);
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert_eq!(get().failure(), (503, "unavailable".to_owned()));
    admin.server.wait_for_log("the admin API lets nobody in: its tokens cannot be used");
    let log = admin.server.log();
    assert!(log.contains("tokens.json cannot be understood"), "{log}");
    let listed = admin.nebula(&["token", "list", "--tokens", "tokens.json"]);
    assert!(listed.exit_code == 78 && listed.stderr.contains("tokens.json cannot be understood"), "{listed:?}");
    fs::write(&path, &good).unwrap();
    assert_eq!(get().status, 200);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(get().failure(), (503, "unavailable".to_owned()));
    let named = || admin.server.log().contains("others can write to it").then_some(());
    eventually("a line that names the file", named);
    assert_eq!(admin.server.get("/readyz").status, 200, "the functions are served all the same");
}

#[test]
fn tokens_are_listed_without_their_secrets() {
    let admin = Admin::start();
    let secret = admin.token("ci", &["--rights", "publish,read", "--functions", "shop-*", "--expires", "90d"]);
    assert!(secret.starts_with("nebula_") && secret.len() == 50, "{secret}");
    let _ = admin.root();
    let listed = admin.nebula(&["token", "list", "--tokens", "tokens.json"]).expect_success().text();
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "RIGHTS", "FUNCTIONS", "CREATED", "EXPIRES"]);
    assert_eq!(
        (&rows[1][..3], &rows[2][2..]),
        (&["ci", "read,publish", "shop-*"][..], &["all", rows[2][3], "never"][..])
    );
    let json = admin.nebula(&["token", "list", "--json", "--tokens", "tokens.json"]).expect_success().text();
    assert!(!json.contains("nebula_") && !json.contains("sha256"), "{json}");
    let cases: [(&[&str], i32, &str); 5] = [
        (&["create", "ci", "--rights", "read"], 2, "there is a token ci already"),
        (&["create", "x", "--rights", "reed"], 2, "did you mean read?"),
        (&["create", "x", "--rights", "read", "--functions", "*shop"], 2, "invalid functions"),
        (&["create", "-", "--rights", "read"], 2, "invalid name of a token"),
        (&["revoke", "other"], 66, "there is no token other"),
    ];
    for (arguments, code, expected) in cases {
        let refused = admin.nebula(&[&["token"], arguments, &["--tokens", "tokens.json"]].concat());
        assert!(refused.exit_code == code && refused.stderr.contains(expected), "{arguments:?}: {refused:?}");
    }
}
