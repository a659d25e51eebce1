//! Where a version came from, in a store and on a server.

use nebula_integration_tests::{Project, Registry, Server};
use serde_json::{Value, json};

use super::team::{TRUST, Team};

/// A server with an admin API, and a team that publishes to it.
struct Remote {
    server: Server,
    team: Team,
    /// The address of its admin API.
    url: String,
    token: String,
    /// The folder of the server, with its store and its tokens.
    _project: Project,
}

impl Remote {
    fn start(config: &str) -> Self {
        let team = Team::new();
        let project = Project::new([]);
        project.write("nebula.toml", config);
        let options = ["--admin", "127.0.0.1:0", "--tokens", "tokens.json"];
        let server = Server::start(&team.nebula, &project, &options).unwrap_or_else(|output| panic!("{output:#?}"));
        let log = server.log();
        let (_, rest) = log.split_once("the admin API is at ").unwrap();
        let url = rest.split('"').next().unwrap().to_owned();
        let token = ["token", "create", "ci", "--rights", "read,publish", "--tokens", "tokens.json"];
        let token = team.nebula.run(&project, &token, b"").expect_success().text().trim().to_owned();
        Self { server, team, url, token, _project: project }
    }

    /// What a command prints that works on the server.
    fn text(&self, arguments: &[&str]) -> String {
        let mut command = self.team.command(&[arguments, &["--server", &self.url]].concat());
        let ran = command.env("NEBULA_TOKEN", &self.token).output().unwrap();
        nebula_integration_tests::ProcessOutput::from(ran).expect_success().text()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--json"]].concat())).unwrap()
    }
}

#[test]
fn an_artifact_has_its_origin_on_a_server_as_in_a_store_but_for_the_signature_that_the_server_did_not_see() {
    let Some(registry) = Registry::start() else { return };
    let remote = Remote::start("");
    let team = &remote.team;
    team.publish(2, &[]);
    let reference = registry.reference("scale:1");
    for sign in [false, true] {
        if sign {
            team.text(&["sign", "scale", "--key", "team.key"]);
        }
        let pushed = team.text(&["push", "scale", &reference]);
        let (_, digest) = pushed.split_once('(').unwrap();
        let (digest, _) = digest.split_once(')').unwrap();
        let there = Team::new();
        there.project.write("team.pub", team.read("team.pub"));
        let name = if sign { "signed" } else { "unsigned" };
        team.project.write("nebula.toml", "[trust]\nkeys = [\"team.pub\"]\n");
        there.project.write("nebula.toml", "[trust]\nkeys = [\"team.pub\"]\n");
        there.text(&["publish", name, &reference]);
        remote.text(&["publish", name, &reference]);
        // The signature is for scale, and not for this name.
        let origin = json!({ "reference": reference, "digest": digest });
        for info in [there.json(&["inspect", name]), remote.json(&["inspect", name])] {
            assert_eq!(info["versions"][0]["origin"], origin, "{info}");
        }
        let shown = remote.text(&["inspect", name]);
        assert!(shown.contains(&format!("origin    {reference} ({digest})\n")), "{shown}");
    }
    assert_eq!(remote.server.get("/api/signed:scale/21").text(), "42");

    // Here a key of the team has signed the name. The publisher checks it, and the server does not say that it did.
    team.project.write("nebula.toml", TRUST);
    remote.text(&["publish", "scale", &reference]);
    let info = remote.json(&["inspect", "scale"]);
    assert_eq!(info["versions"][0]["origin"].get("signed_by"), None, "{info}");
    assert_eq!(info["versions"][0]["origin"]["reference"], reference, "{info}");
}

#[test]
fn a_server_does_not_take_a_publishers_word_for_what_its_own_registry_has() {
    let Some(registry) = Registry::start() else { return };
    let (publisher, team) = (Team::new(), Team::new());
    publisher.publish(2, &[]);
    let reference = registry.reference("scale:prod");
    publisher.text(&["push", "scale", &reference]);
    team.project.write("nebula.toml", format!("[functions.scale]\nsource = \"{reference}\"\n"));
    let serve = || Server::start(&team.nebula, &team.project, &[]).unwrap();
    assert_eq!(serve().get("/api/scale/21").text(), "42");
    let origin = team.json(&["inspect", "scale"])["versions"][0]["origin"].clone();

    // Another module whose record says that it came from there.
    team.publish(3, &[]);
    let mut record: Value = serde_json::from_str(&team.read("store/functions/scale.json")).unwrap();
    record["versions"]["2"]["origin"] = origin;
    team.project.write("store/functions/scale.json", record.to_string());
    assert_eq!(team.text(&["run", "scale", "21"]), "63\n");
    assert_eq!(serve().get("/api/scale/21").text(), "42");
}

#[test]
fn functions_of_a_registry_are_published_in_their_order() {
    let Some(registry) = Registry::start() else { return };
    let (publisher, team) = (Team::new(), Team::new());
    let mut config = String::new();
    for number in 0..12_u32 {
        publisher.publish(number + 1, &[]);
        let reference = registry.reference(&format!("scale:{number}"));
        publisher.text(&["push", "scale", &reference]);
        config += &format!("[functions.scale-{number:02}]\nsource = \"{reference}\"\n");
    }
    team.project.write("nebula.toml", config);
    let server = Server::start(&team.nebula, &team.project, &[]).unwrap();
    let events = server.events();
    let published = events.iter().filter(|line| line["message"] == "published");
    let names: Vec<_> = published.map(|line| line["function"].as_str().unwrap()).collect();
    assert_eq!(names, (0..12).map(|number| format!("scale-{number:02}")).collect::<Vec<_>>());
    assert_eq!(server.get("/api/scale-11:scale/21").text(), (12 * 21).to_string());
}
