//! What the guests of this package share: the steps that the key-value guests do.

/// A key-value store of one of the interfaces, with errors as texts.
pub trait Store: Sized {
    fn open(name: &str) -> Result<Self, String>;
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, String>;
    fn set(&self, key: &str, value: &[u8]) -> Result<(), String>;
    fn delete(&self, key: &str) -> Result<(), String>;
    fn exists(&self, key: &str) -> Result<bool, String>;
    /// A page of keys, and the cursor of the next page.
    fn list(&self, cursor: Option<String>) -> Result<(Vec<String>, Option<String>), String>;

    fn increment(&self, _key: &str, _delta: i64) -> Result<i64, String> {
        Err("this interface has no increment".to_owned())
    }

    fn get_many(&self, _keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, String> {
        Err("this interface has no get-many".to_owned())
    }

    fn set_many(&self, _entries: &[(String, Vec<u8>)]) -> Result<(), String> {
        Err("this interface has no set-many".to_owned())
    }

    fn delete_many(&self, _keys: &[String]) -> Result<(), String> {
        Err("this interface has no delete-many".to_owned())
    }

    /// Replaces the value that the key has now, after `meanwhile` has run.
    fn swap(&self, _key: &str, _value: &[u8], _meanwhile: impl FnOnce()) -> Result<bool, String> {
        Err("this interface has no swap".to_owned())
    }
}

/// Does each step, and returns what it returned. A step is the name of an operation and its arguments. The first step
/// opens a store.
pub fn run<S: Store>(steps: &[Vec<String>]) -> Vec<String> {
    let mut store = None::<S>;
    steps.iter().map(|step| do_step(&mut store, step).unwrap_or_else(|error| format!("error: {error}"))).collect()
}

fn do_step<S: Store>(opened: &mut Option<S>, step: &[String]) -> Result<String, String> {
    let (operation, arguments) = step.split_first().ok_or("a step is empty")?;
    if operation == "open" {
        *opened = Some(S::open(&arguments[0])?);
        return Ok("opened".to_owned());
    }
    let store = opened.as_ref().ok_or("no store is open")?;
    let done = |()| "done".to_owned();
    match (operation.as_str(), arguments) {
        ("get", [key]) => store.get(key).map(text),
        ("size", [key]) => Ok(store.get(key)?.map_or(0, |value| value.len()).to_string()),
        ("set", [key, value]) => store.set(key, value.as_bytes()).map(done),
        // A large value, without a large event.
        ("fill", [key, size]) => store.set(key, &vec![b'x'; number(size)? as usize]).map(done),
        // A long key, without a large event.
        ("long", [size]) => store.set(&"k".repeat(number(size)? as usize), b"").map(done),
        ("delete", [key]) => store.delete(key).map(done),
        ("exists", [key]) => store.exists(key).map(|exists| exists.to_string()),
        ("keys", []) => all(store).map(|mut keys| {
            keys.sort();
            keys.join(" ")
        }),
        ("cursor", [cursor]) => store.list(Some(cursor.clone())).map(|(keys, _)| keys.join(" ")),
        ("increment", [key, delta]) => store.increment(key, number(delta)?).map(|sum| sum.to_string()),
        ("get-many", keys) => Ok(store.get_many(keys)?.into_iter().map(text).collect::<Vec<_>>().join(", ")),
        // Many keys, without a large event.
        ("get-copies", [key, count]) => {
            let keys = vec![key.clone(); number(count)? as usize];
            store.get_many(&keys).map(|values| values.len().to_string())
        }
        ("set-many", entries) => {
            let entries: Vec<_> =
                entries.chunks(2).map(|entry| (entry[0].clone(), entry[1].clone().into_bytes())).collect();
            store.set_many(&entries).map(done)
        }
        ("delete-many", keys) => store.delete_many(keys).map(done),
        ("swap", [key, value]) => store.swap(key, value.as_bytes(), || ()).map(|swapped| swapped.to_string()),
        // Another writer comes between the read and the swap.
        ("lose-swap", [key, value]) => {
            let other = || store.set(key, b"another").expect("the other writer writes");
            store.swap(key, value.as_bytes(), other).map(|swapped| swapped.to_string())
        }
        _ => Err(format!("there is no step {step:?}")),
    }
}

fn all<S: Store>(store: &S) -> Result<Vec<String>, String> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let (page, next) = store.list(cursor)?;
        keys.extend(page);
        cursor = next;
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

fn text(value: Option<Vec<u8>>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| String::from_utf8_lossy(&value).into_owned())
}
