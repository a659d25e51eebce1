//! Interfaces that have two shapes under one version, each in the shape that fewer guests import.

wit_bindgen::generate!({
    path: ["wit/wasi-keyvalue-draft2-proposal.wit", "wit/wasi-config-octets.wit", "wit/other-shapes.wit"],
    world: "nebula:other-shapes/other-shapes",
    generate_all,
});

use wasi::{
    config::runtime,
    keyvalue::{batch, store},
};

export!(OtherShapes);

struct OtherShapes;

impl Guest for OtherShapes {
    fn keep(entries: Vec<(String, String)>, keys: Vec<String>) -> Vec<Option<(String, String)>> {
        let bucket = store::open("default").expect("the store opens");
        let entries: Vec<_> = entries.into_iter().map(|(key, value)| (key, value.into_bytes())).collect();
        batch::set_many(&bucket, &entries).expect("the values are kept");
        let got = batch::get_many(&bucket, &keys).expect("the values are there");
        let kept: Vec<_> = entries.into_iter().map(|(key, _)| key).collect();
        batch::delete_many(&bucket, &kept).expect("the values are deleted");
        got.into_iter().map(|entry| entry.map(|(key, value)| (key, text(value)))).collect()
    }

    fn setting(name: String) -> Option<String> {
        runtime::get(&name).expect("the setting is read").map(text)
    }

    fn settings() -> Vec<(String, String)> {
        let all = runtime::get_all().expect("the settings are read");
        all.into_iter().map(|(name, value)| (name, text(value))).collect()
    }
}

fn text(octets: Vec<u8>) -> String {
    String::from_utf8_lossy(&octets).into_owned()
}
