//! Mistakes in `nebula.toml`, and what the errors say.

use super::parse;

/// Texts that are not TOML or have a wrong key, and the beginning of the error.
const WRONG_KEYS: &[(&str, &str)] = &[
    ("[functions.treats\n", ":1: unclosed table"),
    ("a = 1\na = 2\n", ":2: duplicate key: \"a\""),
    ("\n[function.treats]\nsource = \"a\"\n", ":2: unknown key \"function\"; did you mean \"functions\"?"),
    ("[functions.treats]\nsource = \"a\"\nexprot = \"b\"\n", ":3: unknown key \"exprot\"; did you mean \"export\"?"),
    (
        "[functions.treats]\nsource = \"a\"\nmaxrequest = 1\n",
        ":3: unknown key \"maxrequest\"; did you mean \"max_request\"?",
    ),
    ("[functions.treats]\nsource = \"a\"\nzzz = 1\n", ":3: unknown key \"zzz\"; expected one of source, build, export"),
    ("[server]\ntrusted_proxy = []\n", ":2: unknown key \"trusted_proxy\"; did you mean \"trusted_proxies\"?"),
    ("[limits]\ntime_out = \"1s\"\n", ":2: unknown key \"time_out\"; did you mean \"timeout\"?"),
    ("[functions.treats]\n", ":1: functions.treats: missing key `source`"),
    (
        "[functions.treats]\nsource = \"a\"\ndirs = [{ host = \".\", gest = \"/\" }]\n",
        ":3: unknown key \"gest\"; did you mean \"guest\"?",
    ),
    ("[admin]\ntls = { cert = \"a\" }\n", ":2: admin.tls: missing key `key`"),
    ("[admin]\ntsl = {}\n", ":2: unknown key \"tsl\"; expected one of tls, max_upload"),
    ("[watch]\nignored = [\"*.log\"]\n", ":2: unknown key \"ignored\"; did you mean \"ignore\"?"),
];

/// Wrong values of functions, and the beginning of the error.
const WRONG_FUNCTIONS: &[(&str, &str)] = &[
    (
        "[functions.Treats]\nsource = \"a\"\n",
        ":1: functions.Treats: invalid function name \"Treats\": expected 1 to 63",
    ),
    (
        "[functions.treats]\nsource = \"a\"\ntimeout = 2\n",
        ":3: functions.treats.timeout: invalid value: integer `2`, expected a duration above zero such as \"2s\"",
    ),
    (
        "[functions.treats]\nsource = \"a\"\n\nmemory = \"lots\"\n",
        ":4: functions.treats.memory: invalid value: string \"lots\", expected a size above zero such as \"64MiB\"",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nenv = { A = 1 }\n",
        ":3: functions.treats.env.A: invalid type: integer `1`, expected a string, { env = \"NAME\" } or { file = \"PATH\" }",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nenv = { \"A=\" = \"1\" }\n",
        ":3: functions.treats.env.A=: invalid value: string \"A=\", expected a variable's name, not empty and without",
    ),
    (
        "[functions.treats]\nsource = \"a\"\ndirs = [{ host = \"gone\", guest = \"/data\" }]\n",
        ":3: functions.treats.dirs: the folder conf/gone cannot be granted: No such file or directory",
    ),
    (
        "[functions.treats]\nsource = \"a\"\ndirs = [{ host = \"/dev/null\", guest = \"/data\" }]\n",
        ":3: functions.treats.dirs: /dev/null cannot be granted: it is not a folder",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nbuild = \" \"\n",
        ":3: functions.treats.build: invalid value: string \" \", expected a command such as \"cargo build --release\"",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nallow_hosts = [\"https://a.test\"]\n",
        ":3: functions.treats.allow_hosts[0]: invalid host \"https://a.test\": expected a host such as",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nreuse = { max_requests = 0 }\n",
        ":3: functions.treats.reuse.max_requests: invalid value: integer `0`, expected a nonzero u32",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nreuse = { max_concurrent = 2 }\n",
        ":3: functions.treats.reuse: an instance serves one request at a time: leave out max_concurrent = 2",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nbatch = \"items\"\n",
        ":3: functions.treats.batch: unknown variant `items`, expected `item`",
    ),
    (
        "[functions.treats]\nsource = \"a\"\ncache = \"all\"\n",
        ":3: functions.treats.cache: unknown variant `all`, expected `pure`",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nsnapshot = 1\n",
        ":3: functions.treats.snapshot: invalid type: integer `1`, expected true, false or the name of an export",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nbuild_timeout = \"1m\"\n",
        ":3: functions.treats.build_timeout: this belongs to a build, and the function has none",
    ),
    (
        "[functions.treats]\nsource = \"a\"\nwatch = [\"src/\"]\n",
        ":3: functions.treats.watch: this belongs to a build, and the function has none",
    ),
    (
        "[functions.treats]\nsource = \"a\"\ncontent_type = \"json\"\n",
        ":3: functions.treats.content_type: invalid value: string \"json\", expected a media type such as \"text/csv\"",
    ),
];

/// Other wrong values, and the beginning of the error.
const WRONG_VALUES: &[(&str, &str)] = &[
    (
        "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n",
        ":2: server.trusted_proxies[0]: invalid network \"10.0.0.0/33\": expected an address such as",
    ),
    (
        "[server]\ncors = { origins = [\"a.test\"] }\n",
        ":2: server.cors.origins[0]: invalid origin \"a.test\": expected a scheme and a host without a path, such as",
    ),
    (
        "[limits]\nrate = \"5/day\"\n",
        ":2: limits.rate: invalid value: string \"5/day\", expected a rate such as \"100/s\"",
    ),
    (
        "[server]\nproxy_protocol = true\n",
        ":2: server.proxy_protocol: no proxy can send it: name the proxies in trusted_proxies",
    ),
    (
        "[server]\nconcurrency = 0\n",
        ":2: server.concurrency: invalid value: integer `0`, expected a whole number from 1",
    ),
    ("functions.treats.source = [1]\n", ":1: functions.treats.source: invalid type: sequence, expected path string"),
    (
        "[watch]\nignore = [\"# all\"]\n",
        ":2: watch.ignore[0]: invalid value: string \"# all\", expected a pattern as in .gitignore, such as",
    ),
    ("[[routes]]\npath = \"/api/x\"\nfunction = \"f\"\n", ":1: routes[0]: the path \"/api/x\" is the server's own"),
];

#[test]
fn the_error_for_a_mistake_names_the_line_the_key_and_what_was_expected() {
    for (text, expected) in [WRONG_KEYS, WRONG_FUNCTIONS, WRONG_VALUES].concat() {
        let problem = parse(text).unwrap_err();
        assert!(problem.starts_with(&format!("conf/nebula.toml{expected}")), "{text}: {problem}");
        assert!(!problem.contains('\n'), "{problem:?}");
    }
}
