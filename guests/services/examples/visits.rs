//! Counts visits, in whatever key-value store the node has.

wit_bindgen::generate!({
    path: ["wit/wasi-keyvalue-draft2.wit", "wit/visits.wit"],
    world: "nebula:visits/visits",
    generate_all,
});

use wasi::keyvalue::{
    atomics::increment,
    store::{Bucket, Error, open},
};

export!(Visits);

struct Visits;

impl Guest for Visits {
    fn count(page: String) -> Result<i64, String> {
        increment(&bucket()?, &page, 1).map_err(in_words)
    }

    fn pages() -> Result<Vec<String>, String> {
        let (bucket, mut pages, mut cursor) = (bucket()?, Vec::new(), None);
        loop {
            let page = bucket.list_keys(cursor.as_deref()).map_err(in_words)?;
            pages.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                pages.sort();
                return Ok(pages);
            }
        }
    }
}

fn bucket() -> Result<Bucket, String> {
    open("default").map_err(in_words)
}

fn in_words(error: Error) -> String {
    match error {
        Error::NoSuchStore => "there is no such store".to_owned(),
        Error::AccessDenied => "the store may not be used so".to_owned(),
        Error::Other(detail) => detail,
    }
}
