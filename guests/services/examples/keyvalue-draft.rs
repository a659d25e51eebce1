//! Key-value stores through `wasi:keyvalue` 0.2.0-draft.

wit_bindgen::generate!({ path: ["wit/wasi-keyvalue-draft.wit", "wit/keyvalue-draft.wit"], world: "nebula:keyvalue-draft/keyvalue-draft", generate_all });

use wasi::keyvalue::{
    atomics, batch,
    store::{Bucket, Error, open},
};

export!(KeyValue);

struct KeyValue;

impl Guest for KeyValue {
    fn run(steps: Vec<Vec<String>>) -> Vec<String> {
        services::run::<Bucket>(&steps)
    }
}

fn in_words(error: Error) -> String {
    match error {
        Error::NoSuchStore => "no such store".to_owned(),
        Error::AccessDenied => "access denied".to_owned(),
        Error::Other(detail) => detail,
    }
}

impl services::Store for Bucket {
    fn open(name: &str) -> Result<Self, String> {
        open(name).map_err(in_words)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Bucket::get(self, key).map_err(in_words)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        Bucket::set(self, key, value).map_err(in_words)
    }

    fn delete(&self, key: &str) -> Result<(), String> {
        Bucket::delete(self, key).map_err(in_words)
    }

    fn exists(&self, key: &str) -> Result<bool, String> {
        Bucket::exists(self, key).map_err(in_words)
    }

    fn list(&self, cursor: Option<String>) -> Result<(Vec<String>, Option<String>), String> {
        let cursor =
            cursor.map(|cursor| cursor.parse().map_err(|_| format!("{cursor:?} is not a cursor"))).transpose()?;
        let page = self.list_keys(cursor).map_err(in_words)?;
        Ok((page.keys, page.cursor.map(|cursor| cursor.to_string())))
    }

    fn increment(&self, key: &str, delta: i64) -> Result<i64, String> {
        let delta = u64::try_from(delta).map_err(|_| "this interface adds only".to_owned())?;
        Ok(atomics::increment(self, key, delta).map_err(in_words)? as i64)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, String> {
        let values = batch::get_many(self, keys).map_err(in_words)?;
        Ok(values.into_iter().map(|entry| entry.map(|(_, value)| value)).collect())
    }

    fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), String> {
        batch::set_many(self, entries).map_err(in_words)
    }

    fn delete_many(&self, keys: &[String]) -> Result<(), String> {
        batch::delete_many(self, keys).map_err(in_words)
    }
}
