mod mistakes;

use std::time::Duration;

use nebula_runtime::{
    AzureConfig, Batch, ByteSize, Caching, Reuse, ServiceGrant, Snapshot, TrustedKey,
    store::trust::{KeyKind, PublicKey, SigningKey},
};

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("conf/nebula.toml"), text).map_err(|problem| problem.to_string())
}

/// A file with every key that there is.
pub(super) const EVERY_KEY: &str = r#"
[server]
concurrency = 64
client_rate = "20/s"
cors = { origins = ["*"] }
compress = false
trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]
proxy_protocol = true
result_cache = "16MiB"
tls = { cert = "public.pem", key = "/run/public-key.pem" }

[limits]
timeout = "10s"

[ceilings]
memory = "1GiB"
max_request = 1024

[functions.treats]
source = "guests/treats.wasm"
build = "make treats"
build_timeout = "1m"
watch = ["src/", "*.c"]
export = "treats"
timeout = "2s"
memory = "64MiB"
concurrency = 100
rate = "500/s"
max_request = "1MiB"
max_response = "2MiB"
args = ["--json"]
env = { GREETING = "hi", TOKEN = { env = "API_TOKEN" } }
connect = ["db.example.com:5432"]
config = { greeting = "Hi", cert = { file = "cert.pem" } }
keyvalue = { default = "state", shop = { service = "state", prefix = "shop/", readonly = true, max_value = "64KiB" } }
blobs = { pictures = "pictures" }
dirs = [{ host = "data", guest = "/data", writable = true }]
allow_hosts = ["*.example.com:8443"]
imports = { "nebula:tax/rates" = "tax@prod" }
cache = "pure"
snapshot = "warm-up"
reuse = { idle = "5s" }
batch = "item"
cloudevents = true
cors = { origins = ["https://*.example.com"], headers = ["content-type"], expose = ["etag"], credentials = true, max_age = "10m" }
azure = { bindings = [{ type = "timerTrigger", direction = "in", name = "timer", schedule = "0 */5 * * * *" }] }
content_type = "text/csv"

[[routes]]
host = "shop.test"
path = "/"
function = "treats@prod"

[functions.add]
source = "/srv/add.wat"
build = "make add"

[admin]
tls = { cert = "tls/cert.pem", key = "/run/key.pem" }
max_upload = "64MiB"

[services.state]
keyvalue = "memory:"

[services.pictures]
blobs = "folder:data/pictures"

[trust]
keys = ["team.pub"]
require = true
lowest = { treats = 3 }

[sandbox]
paths = ["data/in", "/srv/out:rw"]
ports = [5432]

[watch]
ignore = ["/notes/", "!*.log"]
poll = "2s"
"#;

/// The settings of `treats` in [`EVERY_KEY`], if that is in this folder.
fn treats(folder: &Path) -> FunctionConfig {
    let mut treats = FunctionConfig::default();
    treats.export = Some("treats".to_owned());
    treats.limits.memory = Some(ByteSize::mib(64));
    treats.limits.timeout = Some(Duration::from_secs(2));
    treats.limits.max_request = Some(ByteSize::mib(1));
    treats.limits.max_response = Some(ByteSize::mib(2));
    treats.limits.concurrency = Some(100);
    treats.limits.rate = Some("500/s".parse().unwrap());
    treats.args = vec!["--json".to_owned()];
    let token = ConfigValue::Env("API_TOKEN".to_owned());
    treats.env = [("GREETING".to_owned(), "hi".into()), ("TOKEN".to_owned(), token)].into();
    treats.connect = vec!["db.example.com:5432".parse().unwrap()];
    let cert = ConfigValue::File(folder.join("cert.pem"));
    treats.config = [("greeting".to_owned(), "Hi".into()), ("cert".to_owned(), cert)].into();
    let mut shop = ServiceGrant::new("state".parse().unwrap());
    let state = shop.clone();
    (shop.prefix, shop.readonly, shop.max_value) = ("shop/".to_owned(), true, Some(ByteSize::kib(64)));
    treats.keyvalue = [("default".to_owned(), state), ("shop".to_owned(), shop)].into();
    treats.blobs = [("pictures".to_owned(), ServiceGrant::new("pictures".parse().unwrap()))].into();
    treats.dirs = vec![DirGrant::new(folder.join("data"), "/data").writable()];
    treats.allow_hosts = vec!["*.example.com:8443".parse().unwrap()];
    treats.imports = [("nebula:tax/rates".to_owned(), "tax@prod".parse().unwrap())].into();
    treats.cache = Some(Caching::Pure);
    treats.snapshot = Snapshot::By("warm-up".to_owned());
    treats.reuse.insert(Reuse::default()).idle = Duration::from_secs(5);
    treats.batch = Some(Batch::Item);
    treats.cloudevents = true;
    let cors = treats.cors.insert(Cors::new(vec!["https://*.example.com".parse().unwrap()]));
    (cors.headers, cors.expose) = (vec!["content-type".to_owned()], vec!["etag".to_owned()]);
    (cors.credentials, cors.max_age) = (true, Some(Duration::from_secs(600)));
    let timer = [("type", "timerTrigger"), ("direction", "in"), ("name", "timer"), ("schedule", "0 */5 * * * *")];
    let timer = timer.map(|(key, value)| (key.to_owned(), value.into()));
    treats.azure = Some(AzureConfig::new(vec![timer.into()]));
    treats.content_type = Some("text/csv".to_owned());
    treats
}

fn build(command: &str, folder: &Path, timeout: Duration, watch: &[&str]) -> Option<Build> {
    let watch = watch.iter().map(|pattern| (*pattern).to_owned()).collect();
    Some(Build { command: command.to_owned(), folder: folder.to_owned(), timeout, watch })
}

/// The functions of [`EVERY_KEY`], if that is in this folder.
fn functions(folder: &Path) -> Vec<FunctionSource> {
    let function = |name: &str, path: PathBuf, build, config| FunctionSource {
        name: name.parse().unwrap(),
        source: Source::File(path),
        build,
        config,
    };
    let make_add = build("make add", folder, Build::TIMEOUT, &[]);
    let make_treats = build("make treats", folder, Duration::from_secs(60), &["src/", "*.c"]);
    vec![
        function("add", "/srv/add.wat".into(), make_add, FunctionConfig::default()),
        function("treats", folder.join("guests/treats.wasm"), make_treats, treats(folder)),
    ]
}

#[test]
fn every_key_of_the_file_reaches_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let path = folder.path().join("nebula.toml");
    fs::write(&path, EVERY_KEY).unwrap();
    let key = public_key();
    fs::write(folder.path().join("team.pub"), key.to_pem()).unwrap();
    let (mut limits, mut ceilings) = (LimitSettings::default(), LimitSettings::default());
    limits.timeout = Some(Duration::from_secs(10));
    (ceilings.memory, ceilings.max_request) = (Some(ByteSize::gib(1)), Some(ByteSize::kib(1)));
    let expected = Config {
        functions: functions(folder.path()),
        routes: vec![Route::new(Some("shop.test"), "/", "treats@prod".parse().unwrap()).unwrap()],
        limits,
        ceilings,
        concurrency: Some(64),
        client_rate: Some("20/s".parse().unwrap()),
        cors: Some(Cors::new(vec!["*".parse().unwrap()])),
        compress: Some(false),
        trusted_proxies: ["127.0.0.1", "10.0.0.0/8"].map(|network| network.parse().unwrap()).into(),
        proxy_protocol: true,
        result_cache: Some(ByteSize::mib(16)),
        tls: Some(TlsFiles { cert: folder.path().join("public.pem"), key: "/run/public-key.pem".into() }),
        admin: AdminSettings {
            tls: Some(TlsFiles { cert: folder.path().join("tls/cert.pem"), key: "/run/key.pem".into() }),
            max_upload: Some(ByteSize::mib(64)),
        },
        services: serde_json::from_str(
            r#"{"state":{"keyvalue":"memory:"},"pictures":{"blobs":"folder:data/pictures"}}"#,
        )
        .unwrap(),
        trust: Trust::required(vec![TrustedKey::new("team.pub", key)], [("treats".parse().unwrap(), 3)].into())
            .unwrap(),
        sandbox: SandboxSettings {
            paths: vec![
                SandboxPath { path: folder.path().join("data/in"), writable: false },
                SandboxPath { path: "/srv/out".into(), writable: true },
            ],
            ports: vec![5432],
        },
        watch: WatchSettings {
            ignore: vec!["/notes/".to_owned(), "!*.log".to_owned()],
            poll: Some(Duration::from_secs(2)),
        },
    };
    assert_eq!(Config::read(&path).unwrap(), expected);
}

fn public_key() -> PublicKey {
    SigningKey::from_pem(SigningKey::generate(KeyKind::P256).unwrap().as_bytes()).unwrap().public()
}

#[test]
fn an_artifact_of_a_registry_is_a_source_that_is_not_built() {
    let text = "[functions.shop]\nsource = \"oci://registry.example.com/shop:1\"\n";
    let source = parse(text).unwrap().functions.remove(0).source;
    assert_eq!(source, Source::Registry("oci://registry.example.com/shop:1".parse().unwrap()));
    let cases = [
        ("build = \"make\"\n", ":3: functions.shop.build: an artifact of a registry is built already"),
        (
            "\n[functions.till]\nsource = \"oci://till\"\n",
            ":5: functions.till.source: invalid reference \"oci://till\"",
        ),
    ];
    for (more, expected) in cases {
        let problem = parse(&(text.to_owned() + more)).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn an_empty_file_is_a_configuration() {
    assert_eq!(parse(""), Ok(Config::default()));
}

#[test]
fn a_byte_order_mark_at_the_start_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nebula.toml");
    fs::write(&path, "\u{feff}[functions.treats]\nsource = 1\n").unwrap();
    let problem = Config::read(&path).unwrap_err().to_string();
    assert!(
        problem.ends_with("nebula.toml:2: functions.treats.source: invalid type: integer `1`, expected path string")
    );
    fs::write(&path, "\u{feff}[server]\nconcurrency = 3\n").unwrap();
    assert_eq!(Config::read(&path).unwrap().concurrency, Some(3));
}

#[test]
fn a_function_comes_after_the_functions_that_it_imports() {
    let names = |text: &str| -> Result<Vec<String>, String> {
        Ok(parse(text)?.functions.into_iter().map(|function| function.name.to_string()).collect())
    };
    let function = |name: &str, import: &str| {
        format!("[functions.{name}]\nsource = \"{name}\"\nimports = {{ \"a:b/c\" = \"{import}\" }}\n")
    };
    let chain = function("a", "c@prod")
        + &function("b", "elsewhere")
        + &function("c", "d@2")
        + "[functions.d]\nsource = \"d\"\n";
    assert_eq!(names(&chain).unwrap(), ["b", "d", "c", "a"]);
    let circle = function("a", "b") + &function("b", "a");
    let expected = "conf/nebula.toml:3: functions.a.imports: the function imports itself, by way of what it imports";
    assert_eq!(names(&circle).unwrap_err(), expected);
}

#[test]
fn the_error_for_a_missing_file_names_it() {
    let error = Config::read(Path::new("/nowhere/nebula.toml")).unwrap_err();
    assert_eq!(error.to_string(), "failed to read /nowhere/nebula.toml");
}
