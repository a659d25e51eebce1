use wasi::keyvalue::{
    atomics::increment,
    store::{Error, open},
};

wit_bindgen::generate!({ generate_all });

struct App;

export!(App);

impl Guest for App {
    fn count(page: String) -> Result<i64, String> {
        let store = open("default").map_err(in_words)?;
        increment(&store, &page, 1).map_err(in_words)
    }
}

fn in_words(error: Error) -> String {
    match error {
        Error::NoSuchStore => "there is no such store".to_owned(),
        Error::AccessDenied => "the store may not be changed".to_owned(),
        Error::Other(detail) => detail,
    }
}
