//! Key-value stores through `fermyon:spin/key-value` 2.0.0.

wit_bindgen::generate!({ path: ["wit/spin.wit", "wit/keyvalue-spin.wit"], world: "nebula:keyvalue-spin/keyvalue-spin", generate_all });

use fermyon::spin::key_value::{Error, Store};

export!(KeyValue);

struct KeyValue;

impl Guest for KeyValue {
    fn run(steps: Vec<Vec<String>>) -> Vec<String> {
        services::run::<Store>(&steps)
    }
}

fn in_words(error: Error) -> String {
    match error {
        Error::StoreTableFull => "store table full".to_owned(),
        Error::NoSuchStore => "no such store".to_owned(),
        Error::AccessDenied => "access denied".to_owned(),
        Error::Other(detail) => detail,
    }
}

impl services::Store for Store {
    fn open(name: &str) -> Result<Self, String> {
        Store::open(name).map_err(in_words)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Store::get(self, key).map_err(in_words)
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), String> {
        Store::set(self, key, value).map_err(in_words)
    }

    fn delete(&self, key: &str) -> Result<(), String> {
        Store::delete(self, key).map_err(in_words)
    }

    fn exists(&self, key: &str) -> Result<bool, String> {
        Store::exists(self, key).map_err(in_words)
    }

    fn list(&self, _cursor: Option<String>) -> Result<(Vec<String>, Option<String>), String> {
        Ok((self.get_keys().map_err(in_words)?, None))
    }
}
