//! Key-value stores and variables as Spin 4 has them: `spin:key-value` and `spin:variables` 3.0.0.

use wit_bindgen::StreamResult;

wit_bindgen::generate!({
    path: ["wit/spin-4.wit", "wit/spin-4-variables.wit", "wit/spin4.wit"],
    world: "nebula:spin4/spin4",
    generate_all,
});

use spin::{
    key_value::key_value::{Error, Store},
    variables::variables,
};

export!(Spin);

struct Spin;

impl Guest for Spin {
    async fn run(steps: Vec<Vec<String>>) -> Vec<String> {
        let (mut store, mut results) = (None, Vec::new());
        for step in steps {
            let step: Vec<_> = step.iter().map(String::as_str).collect();
            results.push(do_step(&mut store, &step).await.unwrap_or_else(in_words));
        }
        results
    }

    async fn variable(name: String) -> String {
        variables::get(name).await.unwrap_or_else(|error| format!("error: {error:?}"))
    }
}

fn in_words(error: Error) -> String {
    match error {
        Error::StoreTableFull => "error: store table full".to_owned(),
        Error::NoSuchStore => "error: no such store".to_owned(),
        Error::AccessDenied => "error: access denied".to_owned(),
        Error::Other(detail) => format!("error: {detail}"),
    }
}

async fn do_step(store: &mut Option<Store>, step: &[&str]) -> Result<String, Error> {
    if let ["open", name] = step {
        *store = Some(Store::open((*name).to_owned()).await?);
        return Ok("opened".to_owned());
    }
    let store = store.as_ref().ok_or_else(|| Error::Other("no store is open".to_owned()))?;
    match step {
        ["get", key] => store.get((*key).to_owned()).await.map(text),
        ["set", key, value] => store.set((*key).to_owned(), (*value).into()).await.map(|()| "done".to_owned()),
        ["delete", key] => store.delete((*key).to_owned()).await.map(|()| "done".to_owned()),
        ["exists", key] => store.exists((*key).to_owned()).await.map(|exists| exists.to_string()),
        ["keys"] => keys(store).await,
        _ => Err(Error::Other(format!("there is no step {step:?}"))),
    }
}

fn text(value: Option<Vec<u8>>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
}

async fn keys(store: &Store) -> Result<String, Error> {
    let (mut stream, end) = store.get_keys().await;
    let mut keys = Vec::new();
    loop {
        let (result, read) = stream.read(Vec::with_capacity(16)).await;
        keys.extend(read);
        if !matches!(result, StreamResult::Complete(_)) {
            break;
        }
    }
    end.await?;
    keys.sort();
    Ok(keys.join(" "))
}
